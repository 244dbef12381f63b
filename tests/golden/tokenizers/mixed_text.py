"""Seeded mixed text for tokenizer tests: prose, several scripts, emoji, code, odd whitespace.

Only characters that every Unicode version of the last decade agrees on are drawn, so that the
tables of different libraries cannot differ about them.
"""

import random
import unicodedata


def _assigned(first, last):
    old = unicodedata.ucd_3_2_0
    return [chr(c) for c in range(first, last + 1) if old.category(chr(c)) not in ("Cn", "Cs", "Co")]


SCRIPTS = {
    "latin": _assigned(0x41, 0x5A) + _assigned(0x61, 0x7A) * 4,
    "latin_accents": _assigned(0xC0, 0x17F) + _assigned(0x1E00, 0x1EF9),
    "greek": _assigned(0x386, 0x3CE),
    "cyrillic": _assigned(0x410, 0x44F),
    "hebrew": _assigned(0x5D0, 0x5EA) + _assigned(0x5B0, 0x5B9),
    "arabic": _assigned(0x621, 0x64A) + _assigned(0x64B, 0x652),
    "devanagari": _assigned(0x901, 0x94D),
    "thai": _assigned(0xE01, 0xE4D),
    "hangul": _assigned(0xAC00, 0xAD00) + _assigned(0x1100, 0x1112),
    "kana": _assigned(0x3041, 0x3094) + _assigned(0x30A1, 0x30FA),
    "han": _assigned(0x4E00, 0x4FFF) + _assigned(0x20000, 0x20040),
    "symbols": _assigned(0x2190, 0x21FF) + _assigned(0x2200, 0x22F0) + list("©®™§¶†‡•…‰€£¥₿"),
    "digits": list("0123456789") * 3 + _assigned(0x660, 0x669) + _assigned(0x966, 0x96F)
    + list("²³¹½¾Ⅷⅻ①⑩"),
    "punctuation": list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") * 2 + list("«»“”‘’„¿¡–—、。「」"),
    "compatibility": list("ﬁﬂﬀⅣ㎏㍿ﷺ①Ａｂ１ｱﾞ½"),
    "marks": list("\u0300\u0301\u0308\u0323\u0327\u0328\u030A\u3099"),
}
WHITESPACE = ["  ", "   ", "\t", "\t\t", "\n", "\n\n", "\r\n", "\u00a0", "\u3000", "\u2003", "\u2009",
              "\u202f", "\u200b", "\u180e", "\u0085", "\u2028", "\v", "\f", " \n ", "        "]
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🇩🇪", "❤️", "🏳️‍🌈", "🤷🏻‍♂️", "✨", "🚀", "1️⃣", "👨🏿‍🚀"]
CONTRACTIONS = ["don't", "I'll", "we've", "it's", "they're", "I'd", "I'm", "DON'T", "IT'S", "'ſ",
                "o'clock", "y'all'd've", "''tis"]
CODE = ["for (int i = 0; i < {n}; ++i) {{\n    sum += a[i];\n}}", "def f(x):\n\treturn x**{n}",
        "SELECT * FROM t{n} WHERE id = '{w}';", "#include <{w}.h>", "if (!{w}) return -{n};",
        "{w}_{w}.{w}({n})", "https://{w}.example/{w}?q={n}&r=%20", "/* {w} */ // {w}",
        "{{\"{w}\": [{n}, {n}.{n}]}}", "0x{n:x} + 1e-{n}", "\\frac{{{n}}}{{{w}}}", "<{w}>{w}</{w}>"]
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<unk>", "<tool_call>",
            "[CLS]", "<|begin|>", "[USER]", "<0x41>", "<|endoftext", "▁", "Ġ"]


def _word(rng):
    script = rng.choice(["latin"] * 6 + list(SCRIPTS))
    return "".join(rng.choice(SCRIPTS[script]) for _ in range(rng.randint(1, 9)))


def _unit(rng, prose):
    kind = rng.random()
    if kind < 0.40:
        words = rng.choice(prose).split(" ")
        first = rng.randrange(len(words))
        return " ".join(words[first:first + rng.randint(1, 5)])
    if kind < 0.66:
        return _word(rng)
    if kind < 0.72:
        return rng.choice(EMOJI) * rng.randint(1, 2)
    if kind < 0.77:
        return rng.choice(CONTRACTIONS)
    if kind < 0.83:
        return rng.choice(CODE).format(n=rng.randrange(10 ** rng.randint(1, 7)),
                                       w="".join(rng.choices("abcdefgxyz", k=rng.randint(1, 6))))
    if kind < 0.88:
        return str(rng.randrange(10 ** rng.randint(1, 12)))
    if kind < 0.90:
        return rng.choice(SPECIALS)
    if kind < 0.96:
        return rng.choice(WHITESPACE)
    return rng.choice(SCRIPTS["punctuation"]) * rng.randint(1, 4)


def mixed_lines(count, seed, prose):
    """`count` lines; `prose` is a list of lines of ordinary text that phrases are taken from."""
    rng = random.Random(seed)
    prose = [line for line in prose if line.strip()]
    lines = ["", " ", "\n", "  leading", "trailing  ", "a", "é", "e\u0301", "\u0301alone"]
    while len(lines) < count:
        if rng.random() < 0.25:
            lines.append(rng.choice(prose))
            continue
        parts = []
        for _ in range(rng.randint(1, 6)):
            parts.append(_unit(rng, prose))
            parts.append(rng.choice([" ", " ", " ", "", "", rng.choice(WHITESPACE)]))
        lines.append("".join(parts))
    return lines
