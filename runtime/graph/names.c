/* Open addressing with linear probing over SipHash-1-3. */
#include "runtime/graph/names.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t key[2];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void make_key(void)
{
    FILE *f = fopen("/dev/urandom", "rb");
    if (!f || fread(key, sizeof key, 1, f) != 1) { /* worse, and still not known to the file */
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        key[0] = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u;
        key[1] = (uint64_t)(uintptr_t)&now ^ (uint64_t)now.tv_sec << 32;
    }
    if (f)
        fclose(f);
}

static inline uint64_t rotate(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static uint32_t hash_of(const char *name)
{
    pthread_once(&key_once, make_key);
    size_t n = strlen(name), i = 0;
    uint64_t word, v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                           key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    for (; n - i >= 8; i += 8) {
        memcpy(&word, name + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)n << 56;
    for (int k = 0; i < n; i++, k += 8)
        word |= (uint64_t)(unsigned char)name[i] << k;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int k = 0; k < 3; k++)
        sip_round(v);
    word = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (uint32_t)(word ^ word >> 32);
}

/* The slot that holds `name`, or the free one where it belongs.  There is always a free one. */
static struct ox_names_slot *find(const ox_names *t, const char *name, uint32_t hash)
{
    for (size_t i = hash & (t->n_slots - 1);; i = (i + 1) & (t->n_slots - 1)) {
        struct ox_names_slot *s = &t->slot[i];
        if (!s->name || (s->hash == hash && strcmp(s->name, name) == 0))
            return s;
    }
}

int ox_names_get(const ox_names *t, const char *name, int none)
{
    if (t->n == 0)
        return none;
    const struct ox_names_slot *s = find(t, name, hash_of(name));
    return s->name ? s->value : none;
}

static bool grow(ox_names *t)
{
    ox_names bigger = {.arena = t->arena, .n = t->n, .n_slots = t->n_slots ? t->n_slots * 2 : 16};
    bigger.slot = ox_arena_array(t->arena, bigger.n_slots, sizeof *bigger.slot);
    if (!bigger.slot)
        return false;
    for (size_t i = 0; i < t->n_slots; i++)
        if (t->slot[i].name)
            *find(&bigger, t->slot[i].name, t->slot[i].hash) = t->slot[i];
    *t = bigger;
    return true;
}

bool ox_names_put(ox_names *t, const char *name, int value)
{
    if (t->n * 3 >= t->n_slots * 2 && !grow(t))
        return false;
    uint32_t hash = hash_of(name);
    struct ox_names_slot *s = find(t, name, hash);
    t->n += s->name == NULL;
    *s = (struct ox_names_slot){name, hash, value};
    return true;
}
