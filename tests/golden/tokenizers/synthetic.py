"""Small tokenizers, one for each way in which published models put the stages together."""

import base64
import json
import struct

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

SPACE = "\u2581"


def _added(token, id, special=True, **flags):
    entry = {"id": id, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": not special, "special": special}
    entry.update(flags)
    return entry


def _file(model, **stages):
    parts = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
             "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None}
    parts.update(stages)
    parts["model"] = model
    return parts


def _train_bpe(lines, pre_tokenizer, size, alphabet=()):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False,
                                  initial_alphabet=list(alphabet), limit_alphabet=max(160, len(alphabet)))
    tokenizer.train_from_iterator(lines, trainer)
    return json.loads(tokenizer.to_str())["model"]


def _with_prefix_tokens(model, tokens):
    """Puts `tokens` before the trained vocabulary, as SentencePiece's converters do."""
    ordered = sorted(model["vocab"], key=model["vocab"].get)
    vocab = {}
    for token in tokens + [t for t in ordered if t not in tokens]:
        vocab[token] = len(vocab)
    return dict(model, vocab=vocab)


def _template(before, after):
    def special(token):
        return {"SpecialToken": {"id": token, "type_id": 0}}
    names = dict(before + after)
    return {"type": "TemplateProcessing",
            "single": [special(t) for t, _ in before] + [{"Sequence": {"id": "A", "type_id": 0}}]
            + [special(t) for t, _ in after],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in names.items()}}


BYTES = ["<0x%02X>" % b for b in range(256)]
SENTENCE_DECODER = {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"},
    {"type": "Fuse"}]}
STRIP_FIRST = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
SPLIT_1_TO_3_DIGITS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
                       r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPLIT_SINGLE_DIGITS = SPLIT_1_TO_3_DIGITS.replace("{1,3}", "")


def _sentence_bpe(lines, size, tokens):
    model = _train_bpe(lines, pre_tokenizers.Metaspace(), size)
    model = _with_prefix_tokens(model, tokens + BYTES)
    model.update(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    return model


def prepend_bpe(lines):
    """Prepend and Replace normalizers, no pre-tokenizer, byte fallback."""
    tokens = ["<unk>", "<s>", "</s>"]
    decoder = dict(SENTENCE_DECODER, decoders=SENTENCE_DECODER["decoders"] + [STRIP_FIRST])
    return _file(
        _sentence_bpe(lines, 700, tokens),
        added_tokens=[_added(t, i) for i, t in enumerate(tokens)],
        normalizer={"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]},
        post_processor=_template([("<s>", 1)], []), decoder=decoder)


def metaspace_bpe(lines):
    """Metaspace that prepends to the first piece only and does not split."""
    tokens = ["<unk>", "<s>", "</s>", "[USER]"]
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "first", "split": False}
    return _file(
        _sentence_bpe(lines, 600, tokens),
        added_tokens=[_added(t, i) for i, t in enumerate(tokens)],
        pre_tokenizer=metaspace, post_processor=_template([("<s>", 1)], [("</s>", 2)]),
        decoder=dict(SENTENCE_DECODER, decoders=SENTENCE_DECODER["decoders"] + [STRIP_FIRST]))


def replace_split_bpe(lines):
    """A Replace normalizer, a literal Split, and added tokens that are ordinary text."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>"]
    model = _sentence_bpe(lines, 650, tokens + ["\n\n", SPACE * 2, SPACE * 3])
    ids = model["vocab"]
    return _file(
        model,
        added_tokens=[_added(t, ids[t]) for t in tokens]
        + [_added(t, ids[t], special=False, normalized=False) for t in ("\n\n", SPACE * 2, SPACE * 3)],
        normalizer={"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        pre_tokenizer={"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
                       "invert": False},
        post_processor=_template([("<bos>", 2)], []), decoder=SENTENCE_DECODER)


def _byte_level_bpe(lines, size, pattern, **stages):
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    model = _train_bpe(lines, pre, size, alphabet)
    stages.setdefault("pre_tokenizer", {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
        BYTE_LEVEL]})
    return _file(model, decoder=BYTE_LEVEL, **stages)


def ignore_merges_bpe(lines):
    """Byte-level BPE whose vocabulary holds words that its merges do not reach."""
    made = _byte_level_bpe(lines, 800, SPLIT_1_TO_3_DIGITS)
    vocab = made["model"]["vocab"]
    for word in ("Ġunreachable", "ĠKing", "Citizen", "ðŁĺĢ", "123"):
        vocab.setdefault(word, len(vocab))
    made["model"]["ignore_merges"] = True
    first = len(vocab)
    made["added_tokens"] = [_added("<|begin|>", first), _added("<|endoftext|>", first + 1)]
    made["post_processor"] = {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        _template([("<|begin|>", first)], [])]}
    return made


def nfc_bpe(lines):
    """Byte-level BPE behind NFC, single digits, merges as strings."""
    made = _byte_level_bpe(lines, 700, SPLIT_SINGLE_DIGITS, normalizer={"type": "NFC"})
    made["model"]["merges"] = [" ".join(m) for m in made["model"]["merges"]]
    first = len(made["model"]["vocab"])
    made["added_tokens"] = [_added("<|endoftext|>", first), _added("<|im_start|>", first + 1),
                            _added("<|im_end|>", first + 2),
                            _added("<tool_call>", first + 3, special=False, normalized=False)]
    return made


def gpt_regex_bpe(lines):
    """The ByteLevel stage with its own regular expression and a space before the text."""
    made = _byte_level_bpe(lines, 700, SPLIT_1_TO_3_DIGITS,
                           pre_tokenizer=dict(BYTE_LEVEL, add_prefix_space=True, use_regex=True))
    ids = made["model"]["vocab"]
    made["added_tokens"] = [_added("<s>", len(ids)), _added("</s>", len(ids) + 1),
                            _added("<unk>", len(ids) + 2, lstrip=True)]
    made["post_processor"] = {"type": "RobertaProcessing", "cls": ["<s>", len(ids)],
                              "sep": ["</s>", len(ids) + 1], "trim_offsets": True,
                              "add_prefix_space": True}
    return made


def word_stages_bpe(lines):
    """Accent and case folding, word splits, unknown characters, and every flag of added tokens."""
    model = _train_bpe([line.lower() for line in lines], pre_tokenizers.Whitespace(), 500)
    model = _with_prefix_tokens(model, ["[UNK]", "[CLS]", "[SEP]"])
    model.update(unk_token="[UNK]")
    n = len(model["vocab"])
    return _file(
        model,
        added_tokens=[_added(t, i) for i, t in enumerate(["[UNK]", "[CLS]", "[SEP]"])] + [
            _added("the", n, special=False, single_word=True), _added("KING", n + 1, special=False),
            _added("my lord", n + 2, special=False, lstrip=True, rstrip=True),
            _added("é", n + 3, special=False, normalized=False, rstrip=True),
            _added("<unk>", n + 4, lstrip=True, single_word=True)],
        normalizer={"type": "Sequence", "normalizers": [
            {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"},
            {"type": "Strip", "strip_left": True, "strip_right": True}]},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [
            {"type": "Whitespace"}, {"type": "Digits", "individual_digits": True},
            {"type": "Punctuation", "behavior": "Contiguous"}]},
        post_processor={"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]})


def _unigram(lines, size, byte_fallback):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=["<unk>", "<s>", "</s>"],
                                      unk_token="<unk>", show_progress=False)
    # The trainer wants a vocabulary larger than the alphabet.
    tokenizer.train_from_iterator([line for line in lines if line.isascii()], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    model["vocab"] = [[piece, round(score, 6)] for piece, score in model["vocab"]]
    if byte_fallback:
        model["vocab"] += [[b, -20.0] for b in BYTES]
    model["byte_fallback"] = byte_fallback
    return model


def unigram(lines):
    """Unigram with NFKC and Metaspace; characters outside of the vocabulary are unknown."""
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
    return _file(_unigram(lines, 500, False),
                 added_tokens=[_added(t, i) for i, t in enumerate(["<unk>", "<s>", "</s>"])],
                 normalizer={"type": "Sequence", "normalizers": [
                     {"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
                 pre_tokenizer=metaspace, post_processor=_template([], [("</s>", 2)]),
                 decoder=metaspace)


def charsmap(table):
    """SentencePiece's precompiled table for {string: replacement}: a darts-clone double array."""
    trie = {}
    replacements = b""
    for key, value in sorted(table.items()):
        node = trie
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = len(replacements)
        replacements += value.encode() + b"\0"

    units = {0: 0}
    used = set([0])
    bases = set()  # Two nodes with one base would accept each other's children.

    def place(node, at):
        """Puts the children of `node`, which is unit `at`, at at ^ offset ^ label."""
        labels = [0 if label is None else label for label in node]
        # Offsets below 2**21 fit without the extended form.
        offset = next(o for o in range(1, 1 << 21)
                      if at ^ o not in bases and all((at ^ o ^ label) not in used for label in labels))
        bases.add(at ^ offset)
        used.update(at ^ offset ^ label for label in labels)
        units[at] |= offset << 10 | (1 << 8 if None in node else 0)
        for label, child in node.items():
            spot = at ^ offset ^ (0 if label is None else label)
            if label is None:
                units[spot] = child | 1 << 31
            else:
                units[spot] = label
        for label, child in node.items():
            if label is not None:
                place(child, at ^ offset ^ label)

    place(trie, 0)
    size = (max(units) // 256 + 1) * 256
    blob = b"".join(struct.pack("<I", units.get(i, 0)) for i in range(size))
    return struct.pack("<I", len(blob)) + blob + replacements


def precompiled_unigram(lines):
    """Unigram with byte fallback behind SentencePiece's precompiled normalisation table."""
    table = {"\u00a0": " ", "\u3000": " ", "\t": " ", "ﬁ": "fi", "ﬂ": "fl", "Ａ": "A", "①": "1",
             "½": "1⁄2", "e\u0301": "é", "\u200b": "", "…": "...", "ｱ": "ア", "“": "\"", "”": "\"",
             "\r\n": "\n"}
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
    return _file(_unigram(lines, 400, True),
                 added_tokens=[_added(t, i) for i, t in enumerate(["<unk>", "<s>", "</s>"])],
                 normalizer={"type": "Precompiled", "precompiled_charsmap":
                             base64.b64encode(charsmap(table)).decode()},
                 pre_tokenizer={"type": "Sequence", "pretokenizers": [
                     {"type": "WhitespaceSplit"}, metaspace]},
                 decoder={"type": "Sequence", "decoders": [{"type": "ByteFallback"}, metaspace]})


ALL = [prepend_bpe, metaspace_bpe, replace_split_bpe, ignore_merges_bpe, nfc_bpe, gpt_regex_bpe,
       word_stages_bpe, unigram, precompiled_unigram]
