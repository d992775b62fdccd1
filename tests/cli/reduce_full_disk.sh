# neither a full disk nor a signal leaves half a test case
(ulimit -f 1 && onnxrun reduce data/dynamic.onnx --random --dim height=64 --dim image:3=64 --against oracle --node Identity_0 -o full)
echo "status $?"
onnxrun reduce data/dynamic.onnx --random --dim batch=16 --dim height=1024 --dim image:3=1024 --against oracle --node y -o out > /dev/null &
pid=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    [ -d out ] && break
    sleep 0.05
done
kill -TERM $pid
wait $pid
echo "status $?"
ls -A
