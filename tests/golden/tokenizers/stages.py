"""Golden cases of single stages: what one normalizer, pre-tokenizer or decoder makes of a text."""

import random

from tokenizers import Tokenizer

import json

NORMALIZERS = [
    {"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Lowercase"},
    {"type": "StripAccents"}, {"type": "ByteLevel"},
    {"type": "Strip", "strip_left": True, "strip_right": False},
    {"type": "Strip", "strip_left": False, "strip_right": True},
    {"type": "Strip", "strip_left": True, "strip_right": True},
    {"type": "Prepend", "prepend": "▁"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    {"type": "Replace", "pattern": {"String": "e"}, "content": ""},
    {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
    {"type": "Replace", "pattern": {"Regex": "(?i)[aeiou]{2,}"}, "content": "<v>"},
    {"type": "Replace", "pattern": {"Regex": "^\\s|\\s$"}, "content": "_"},
    {"type": "Replace", "pattern": {"Regex": "\\w+(?=\\W)"}, "content": "W"},
    {"type": "Replace", "pattern": {"Regex": "x*"}, "content": "-"},
    {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"},
                                         {"type": "Lowercase"}, {"type": "Prepend", "prepend": ">"}]},
]

BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
PATTERNS = [
    {"String": " "}, {"String": "."}, {"Regex": "\\s+"}, {"Regex": "[aeiou]|\\d"},
    {"Regex": "\\p{L}+|\\p{N}{1,3}"}, {"Regex": "\\p{Han}|\\p{Hiragana}|[^\\x00-\\x7f]"},
    {"Regex": "[^\\S\\n]+|\\n"}, {"Regex": "(?<=\\d)[a-z]|\\h{2,}"},
]
MODEL_PATTERNS = [
    # Patterns that published models use.
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
    "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "\\p{N}{1,3}+|[一-龥぀-ゟ゠-ヿ]+|[\\s\\p{L}]++",
    "a(?i)b|c|(?m:x.y)|[[:alpha:]]+|[[:digit:]]|\\w+|\\u00E9",
]

PRE_TOKENIZERS = [
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True},
    {"type": "Metaspace", "replacement": "_", "prepend_scheme": "never", "split": True},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False},
    {"type": "Digits", "individual_digits": True}, {"type": "Digits", "individual_digits": False},
    {"type": "Whitespace"}, {"type": "WhitespaceSplit"},
    {"type": "CharDelimiterSplit", "delimiter": "e"},
] + [{"type": "Punctuation", "behavior": b} for b in BEHAVIORS] + [
    {"type": "Split", "pattern": p, "behavior": b, "invert": i}
    for p in PATTERNS for b in BEHAVIORS for i in (False, True)
] + [
    {"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": False}
    for p in MODEL_PATTERNS
] + [
    {"type": "Split", "pattern": {"Regex": p}, "behavior": "Removed", "invert": True}
    for p in MODEL_PATTERNS
] + [
    {"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}]},
    {"type": "Sequence", "pretokenizers": [
        {"type": "Punctuation", "behavior": "Removed"},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}]},
    {"type": "Sequence", "pretokenizers": [
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        {"type": "Split", "pattern": {"String": "Ġ"}, "behavior": "MergedWithNext", "invert": False}]},
]

REPLACE = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
DECODERS = [
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": True},
    {"type": "ByteFallback"}, {"type": "Fuse"}, STRIP, REPLACE,
    {"type": "Strip", "content": "a", "start": 2, "stop": 0},
    {"type": "Replace", "pattern": {"Regex": "[aeiou]+"}, "content": "*"},
    {"type": "Sequence", "decoders": [REPLACE, {"type": "ByteFallback"}, {"type": "Fuse"}, STRIP]},
    {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}, REPLACE]},
]
TOKENS = ["▁the", "▁", "▁▁", "the", "Ġa", "Ċ", "aab", " b", "  c", "é", "<0x41>", "<0xe2>", "<0x82>",
          "<0xAC>", "<0xFF>", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>", "ðŁ", "ĺĢ", "ĺ", "<s>", "漢", "<0xZZ>",
          "aa", "Ã", "©"]


def _tokenizer(**parts):
    file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
            "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
            "model": {"type": "BPE", "vocab": {}, "merges": []}}
    file.update(parts)
    return Tokenizer.from_str(json.dumps(file))


def cases(lines, seed, each=12):
    rng = random.Random(seed)
    for stage in NORMALIZERS:
        normalizer = _tokenizer(normalizer=stage).normalizer
        for line in rng.sample(lines, each * 3):
            yield {"stage": "normalizer", "json": stage, "in": line,
                   "out": normalizer.normalize_str(line)}
    for stage in PRE_TOKENIZERS:
        pre_tokenizer = _tokenizer(pre_tokenizer=stage).pre_tokenizer
        for line in rng.sample(lines, each):
            yield {"stage": "pre_tokenizer", "json": stage, "in": line,
                   "out": [piece for piece, _ in pre_tokenizer.pre_tokenize_str(line)]}
    for stage in DECODERS:
        decoder = _tokenizer(decoder=stage).decoder
        for _ in range(each * 3):
            tokens = rng.choices(TOKENS, k=rng.randint(1, 7))
            yield {"stage": "decoder", "json": stage, "in": tokens, "out": decoder.decode(tokens)}
