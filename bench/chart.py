"""A bar chart of ratios as SVG text: one bar a model, from 1 to the right (faster) or left (slower)."""
import math
from html import escape

WIDTH, ROW, LEFT, RIGHT, TOP, BOTTOM = 760, 17, 210, 60, 64, 30
COLOUR = {"float32": "#2f6f9f", "int8": "#c0782b"}


def bars(ratios, kinds, title, note):
    """ratios: name -> ratio; kinds: name -> a key of COLOUR."""
    names = sorted(ratios, key=ratios.get, reverse=True)
    low = min([0.5, *ratios.values()])
    high = max([2, *ratios.values()])
    span = math.log(high / low)
    x = lambda v: LEFT + (WIDTH - LEFT - RIGHT) * math.log(v / low) / span
    height = TOP + ROW * len(names) + BOTTOM
    mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios)) if ratios else 1
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
           f'<text x="12" y="22" font-size="16" font-weight="bold">{escape(title)}: {mean:.2f} in the geometric mean</text>',
           f'<text x="12" y="42" fill="#555555">Speed ratio, logarithmic; right of 1 onnxrun is faster. {escape(note)}</text>']
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low <= t <= high]
    for t in ticks:
        out += [f'<line x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{TOP - 6}" y2="{height - BOTTOM + 2}" '
                f'stroke="{"#000000" if t == 1 else "#dddddd"}"/>',
                f'<text x="{x(t):.1f}" y="{height - 12}" text-anchor="middle" fill="#555555">{t:g}</text>']
    for i, name in enumerate(names):
        y, r = TOP + ROW * i, ratios[name]
        a, b = sorted((x(1), x(r)))
        out += [f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{a:.1f}" y="{y}" width="{max(b - a, 1):.1f}" height="{ROW - 4}" fill="{COLOUR[kinds[name]]}"/>',
                f'<text x="{max(b, x(1)) + 5:.1f}" y="{y + 11}" fill="#333333">{r:.2f}</text>']
    used = [k for k in COLOUR if k in {kinds[n] for n in names}]
    for i, kind in enumerate(used):
        at = WIDTH - 90 * (len(used) - i)
        out += [f'<rect x="{at}" y="{TOP - 14}" width="10" height="10" fill="{COLOUR[kind]}"/>',
                f'<text x="{at + 14}" y="{TOP - 5}">{kind}</text>']
    return "\n".join(out + ["</svg>", ""])
