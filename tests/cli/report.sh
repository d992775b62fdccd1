# one page, nothing from elsewhere, names escaped, written whole or not at all; seen in a browser where there is one
onnxrun trace data/chain.onnx data/x2.npy --against data/chain_bad.npz --report page.html | tail -1; echo "status $?"
grep -c -e '<html' -e '</html>' page.html
grep -o -e 'https*:' -e ' src="[^d][^"]*"' -e '<link' -e '@import' page.html
grep -o '<b>different</b>' page.html
onnxrun trace data/markup.onnx data/x2.npy --against oracle --report markup.html > /dev/null; echo "status $?"
grep -c '<i>' markup.html
grep -o -m 1 '&lt;i&gt;x&amp;&quot;' markup.html
onnxrun trace data/chain.onnx data/x2.npy --against data/chain_bad.npz --report no/page.html; echo "status $?"
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -n "$browser" ]; then
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" --screenshot="$PWD/page.png" \
        --window-size=1200,1600 "file://$PWD/page.html" > /dev/null 2>&1
    [ "$(head -c 4 page.png | tail -c 3)" = PNG ] && echo "browser: seen" || echo "a browser sees nothing"
else
    echo "browser: skipped, there is none"
fi
