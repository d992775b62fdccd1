# a signal while an output is being made leaves nothing behind
# (BUS: what the kernel sends where a mapped file was cut short)
for path in out.npz out/; do for signal in TERM BUS; do
    onnxrun data/dynamic.onnx --random --dim batch=16 --dim height=1024 --dim image:3=1024 -o $path > /dev/null &
    pid=$!
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        ls -A | grep -q -e '^[.]onnxrun' -e '^out$' && break
        sleep 0.02
    done
    kill -$signal $pid
    wait $pid
    echo $?
    ls -A
done; done
