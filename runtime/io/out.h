/* Files that appear together or not at all.  Each is written under a temporary name in the folder
 * where it will be, so that the final rename cannot cross file systems, and commit renames them
 * all. Whatever ends the process by a signal calls ox_out_abandon first (cli/main.c does): then
 * even Ctrl-C leaves nothing half-written. */
#ifndef OX_IO_OUT_H
#define OX_IO_OUT_H

#include "runtime/base/status.h"
#include <stdio.h>

typedef struct ox_out ox_out;

/* All files of one ox_out live in `folder`; with `make` it is created if its parent exists.  Fails
 * at once where no file can be created there. */
ox_code ox_out_create(const char *folder, bool make, ox_out **out, ox_error *err) OX_MUST_CHECK;
/* The next file, empty; name is its final name, FILE or FOLDER/FILE: the
 * folder is made by commit.  One file is open at a time. */
ox_code ox_out_open(ox_out *o, const char *name, FILE **f, ox_error *err) OX_MUST_CHECK;
/* Flushes and closes it: a full disk shows here at the latest. */
ox_code ox_out_close(ox_out *o, ox_error *err) OX_MUST_CHECK;
ox_code ox_out_commit(ox_out *o, ox_error *err) OX_MUST_CHECK;
/* Removes whatever was not committed. */
void    ox_out_destroy(ox_out *o);
/* Removes the files of all uncommitted ox_outs.  Async-signal-safe. */
void    ox_out_abandon(void);

/* name with everything but letters, digits, '.', '_', '-' as '_', then suffix.  false: too long. */
bool ox_out_sanitise(char *to, size_t n_to, const char *name, const char *suffix);

#endif
