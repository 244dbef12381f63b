#!/usr/bin/env python3
"""Train the demo model of models/demo from one plain text file.

The whole way is here: a byte-level BPE tokenizer trained on the training part of the text, a small
Llama-family model trained on it with strong regularisation (the text is tiny), the checkpoint with the
best validation loss, and the directory in Hugging Face format that `quire` compiles:

    config.json generation_config.json model.safetensors (bf16) tokenizer.json tokenizer_config.json
    training.json   (settings, loss history, final figures and a sample)

Needs torch, transformers and tokenizers; one GPU takes minutes, a CPU takes hours.

    tools/train_demo.py --text tinyshakespeare.txt --out models/demo
    tools/train_demo.py --text tinyshakespeare.txt --out /tmp/small --steps 20 --hidden 64 --layers 2
"""

import argparse
import copy
import json
import math
import platform
import time
from pathlib import Path

import tokenizers
import torch
import torch.nn.functional as F
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

END_OF_TEXT = "<|endoftext|>"
END_OF_TEXT_ID = 0
SAMPLING = {"do_sample": True, "temperature": 0.9, "top_p": 0.9}
SAMPLE_PROMPTS = ["ROMEO:\n", "KING RICHARD III:\nNow", "DUKE VINCENTIO:\nMy lords, the night"]


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Train the demo model: byte-level BPE tokenizer + small Llama-family model.",
        epilog="example: tools/train_demo.py --text tinyshakespeare.txt --out models/demo",
    )
    add = parser.add_argument
    add("--text", type=Path, required=True, help="the training text, plain UTF-8")
    add("--out", type=Path, required=True, help="directory to write")
    add("--held-out", type=float, default=0.1, help="last part of the text kept for validation (%(default)s)")
    add("--vocab", type=int, default=2048, help="tokenizer size (%(default)s)")
    add("--hidden", type=int, default=256, help="hidden size (%(default)s)")
    add("--layers", type=int, default=6, help="layers (%(default)s)")
    add("--heads", type=int, default=4, help="query heads (%(default)s)")
    add("--kv-heads", type=int, default=2, help="key/value heads (%(default)s)")
    add("--head-dim", type=int, default=64, help="head dimension (%(default)s)")
    add("--ffn", type=int, default=704, help="feed-forward size (%(default)s)")
    add("--context", type=int, default=1024, help="positions, and tokens per training row (%(default)s)")
    add("--batch", type=int, default=16, help="rows per step (%(default)s)")
    add("--steps", type=int, default=1600, help="optimiser steps at most (%(default)s)")
    add("--warmup", type=int, default=100, help="steps of linear warm-up (%(default)s)")
    add("--learning-rate", type=float, default=1e-3, help="peak learning rate, cosine to 5 %% (%(default)s)")
    add("--weight-decay", type=float, default=2.0, help="on matrices (%(default)s)")
    add("--dropout", type=float, default=0.25, help="on embedding, attention and both branches (%(default)s)")
    add("--bpe-dropout", type=float, default=0.05, help="share of merges skipped while encoding (%(default)s)")
    add("--bpe-copies", type=int, default=16, help="encodings of the text drawn with it (%(default)s)")
    add("--break-rate", type=float, default=0.04, help="speech ends marked as the end of a text (%(default)s)")
    add("--ema", type=float, default=0.995, help="decay of the averaged weights (%(default)s)")
    add("--evaluate-every", type=int, default=50, help="steps between validations (%(default)s)")
    add("--patience", type=int, default=12, help="validations without gain before stopping (%(default)s)")
    add("--max-minutes", type=float, default=float("inf"), help="stop training after this time")
    add("--seed", type=int, default=1, help="random seed (%(default)s)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")
    return parser.parse_args()


# ---- text and tokenizer ---------------------------------------------------------------------------


def split_text(text, held_out):
    """Cuts the text at the last speech boundary before the held-out part."""
    cut = text.rfind("\n\n", 0, int(len(text) * (1 - held_out))) + 2
    return text[:cut], text[cut:]


def train_tokenizer(text, vocab_size):
    """Byte-level BPE with the GPT-2 split pattern; a text begins with the end-of-text token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Speech by speech, so that no merge can span two speeches.
    tokenizer.train_from_iterator(text.split("\n\n"), trainer)
    assert tokenizer.token_to_id(END_OF_TEXT) == END_OF_TEXT_ID
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A",
        pair=f"{END_OF_TEXT} $A {END_OF_TEXT} $B",
        special_tokens=[(END_OF_TEXT, END_OF_TEXT_ID)],
    )
    return tokenizer


def encode(tokenizer, text, dropout=None):
    """Token ids [tokens], beginning with end-of-text. `dropout` skips merges at random (BPE-dropout)."""
    if not dropout:
        return torch.tensor(tokenizer.encode(text).ids)
    noisy = Tokenizer.from_str(tokenizer.to_str())
    noisy.model.dropout = dropout
    return torch.tensor(noisy.encode(text).ids)


class TrainingRows:
    """Draws training rows from several encodings of the same text.

    Half of the rows begin where a speech begins, behind an end-of-text token, as every prompt does.
    Elsewhere the empty line behind a speech becomes an end-of-text token at `break_rate`, so that the
    model learns that a text may end there.
    """

    def __init__(self, encodings, newline, context, break_rate):
        self.encodings, self.context, self.break_rate = encodings, context, break_rate
        self.ends, self.starts = [], []
        for ids in encodings:
            second_newline = (ids == newline) & (ids.roll(1) == newline)
            second_newline[0] = False
            self.ends.append(second_newline)
            starts = second_newline.nonzero().flatten()
            self.starts.append(starts[starts < len(ids) - context - 1])

    def draw(self, count, generator):
        """Token ids [count, context + 1]."""
        rows = []
        for row in range(count):
            pick = int(torch.randint(len(self.encodings), (1,), generator=generator))
            ids, starts = self.encodings[pick], self.starts[pick]
            if row % 2:
                begin = int(starts[torch.randint(len(starts), (1,), generator=generator)])
            else:
                begin = int(torch.randint(len(ids) - self.context, (1,), generator=generator))
            window = ids[begin : begin + self.context + 1].clone()
            ends = self.ends[pick][begin : begin + self.context + 1].clone()
            ends &= torch.rand(len(ends), generator=generator) < self.break_rate
            ends[0] = row % 2 == 1
            window[ends] = END_OF_TEXT_ID
            rows.append(window)
        return torch.stack(rows)


# ---- model ----------------------------------------------------------------------------------------


def build_model(args):
    config = LlamaConfig(
        vocab_size=args.vocab,
        hidden_size=args.hidden,
        intermediate_size=args.ffn,
        num_hidden_layers=args.layers,
        num_attention_heads=args.heads,
        num_key_value_heads=args.kv_heads,
        head_dim=args.head_dim,
        max_position_embeddings=args.context,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        attention_dropout=args.dropout,
        tie_word_embeddings=True,
        bos_token_id=END_OF_TEXT_ID,
        eos_token_id=END_OF_TEXT_ID,
        use_cache=False,
    )
    model = LlamaForCausalLM(config)

    # The family itself has no dropout beside the one on attention probabilities: a hook adds it to the
    # embedding and to the output of both branches, active in training mode only.
    def drop(module, inputs, output):
        return F.dropout(output, args.dropout, module.training)

    model.model.embed_tokens.register_forward_hook(drop)
    for layer in model.model.layers:
        layer.self_attn.o_proj.register_forward_hook(drop)
        layer.mlp.down_proj.register_forward_hook(drop)
    return model.to(args.device)


@torch.no_grad()
def loss_of(model, ids, context, device):
    """Mean negative log-likelihood in nats per token of ids[1:].

    Windows overlap by half, so every token but the first few sees at least context / 2 tokens before it.
    """
    model.eval()
    ids = ids.to(device)
    stride = context // 2
    last = len(ids) - 1 - context  # begin of the last window
    begins = list(range(0, last, stride)) + [last]
    scored, total = 0, 0.0
    for at in range(0, len(begins), 16):
        group = begins[at : at + 16]
        windows = torch.stack([ids[b : b + context + 1] for b in group])
        logits = model(input_ids=windows[:, :-1], use_cache=False).logits.float()
        nll = F.cross_entropy(logits.transpose(1, 2), windows[:, 1:], reduction="none")
        for row, begin in enumerate(group):
            total += nll[row, scored - begin :].sum().item()
            scored = begin + context
    assert scored == len(ids) - 1
    return total / scored


def learning_rate(step, args):
    if step < args.warmup:
        return args.learning_rate * (step + 1) / args.warmup
    done = (step - args.warmup) / max(1, args.steps - args.warmup)
    return args.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def train(args, model, rows, validation_ids, bits_per_byte):
    """Trains in place; returns (best averaged weights, history, tokens seen)."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": args.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=args.learning_rate,
        betas=(0.9, 0.95),
    )
    averaged = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(args.seed)
    best, best_loss, stale, history = None, float("inf"), 0, []
    running, begin, on_gpu = 0.0, time.time(), args.device.startswith("cuda")

    for step in range(args.steps):
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        tokens = rows.draw(args.batch, generator).to(args.device, non_blocking=True)
        with torch.autocast(args.device.split(":")[0], torch.bfloat16, enabled=on_gpu):
            logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
        loss = F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        decay = min(args.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(averaged.parameters()), list(model.parameters()), 1 - decay)
        running += loss.detach()

        out_of_time = time.time() - begin > 60 * args.max_minutes
        if (step + 1) % args.evaluate_every and step + 1 != args.steps and not out_of_time:
            continue
        validation = loss_of(averaged, validation_ids, args.context, args.device)
        count = (step % args.evaluate_every) + 1
        history.append({"step": step + 1, "train_noisy": float(running) / count, "validation": validation})
        running = 0.0
        stale = 0 if validation < best_loss else stale + 1
        if validation < best_loss:
            best_loss = validation
            best = {name: value.detach().cpu().clone() for name, value in averaged.state_dict().items()}
        print(
            f"step {step + 1:5d}  train (with noise) {history[-1]['train_noisy']:.4f}  validation {validation:.4f}"
            f" ({bits_per_byte(validation):.4f} bits/byte)  {time.time() - begin:.0f} s{'  best' if not stale else ''}",
            flush=True,
        )
        if stale > args.patience or out_of_time:
            break
    return best, history, (step + 1) * args.batch * args.context


# ---- output ---------------------------------------------------------------------------------------


@torch.no_grad()
def sample(model, tokenizer, prompt, count, seed, device):
    torch.manual_seed(seed)
    ids = torch.tensor([tokenizer.encode(prompt).ids], device=device)
    settings = GenerationConfig(
        **SAMPLING,
        max_new_tokens=count,
        use_cache=True,
        bos_token_id=END_OF_TEXT_ID,
        eos_token_id=END_OF_TEXT_ID,
        pad_token_id=END_OF_TEXT_ID,
    )
    out = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    return tokenizer.decode(out[0].tolist())


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_model(args, model, tokenizer):
    """The directory in Hugging Face format, weights in bf16."""
    model.config.attention_dropout = 0.0
    model.config.use_cache = True
    model.generation_config = GenerationConfig(
        **SAMPLING, bos_token_id=END_OF_TEXT_ID, eos_token_id=END_OF_TEXT_ID
    )
    model.to(torch.bfloat16).save_pretrained(args.out)
    tokenizer.save(str(args.out / "tokenizer.json"))
    write_json(
        args.out / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": END_OF_TEXT,
            "eos_token": END_OF_TEXT,
            "model_max_length": args.context,
            "clean_up_tokenization_spaces": False,
        },
    )


def main():
    args = parse_arguments()
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)

    text = args.text.read_text(encoding="utf-8")
    train_text, validation_text = split_text(text, args.held_out)
    tokenizer = train_tokenizer(train_text, args.vocab)
    args.vocab = tokenizer.get_vocab_size()
    train_ids, validation_ids = encode(tokenizer, train_text), encode(tokenizer, validation_text)
    bytes_per_token = len(validation_text.encode()) / (len(validation_ids) - 1)
    newline = tokenizer.encode("\n", add_special_tokens=False).ids
    assert len(newline) == 1

    def bits_per_byte(nats_per_token):
        return nats_per_token / math.log(2) / bytes_per_token

    copies = args.bpe_copies if args.bpe_dropout else 1
    encodings = [encode(tokenizer, train_text, args.bpe_dropout) for _ in range(copies)]
    rows = TrainingRows(encodings, newline[0], args.context, args.break_rate)
    model = build_model(args)
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"{len(train_ids)} training tokens, {len(validation_ids)} held out, {bytes_per_token:.3f} bytes per token,"
        f" {parameters} parameters, on {args.device}",
        flush=True,
    )

    best, history, tokens_seen = train(args, model, rows, validation_ids, bits_per_byte)
    model.load_state_dict(best)
    best_step = min(history, key=lambda entry: entry["validation"])["step"]

    # The figures are those of the file: weights rounded to bf16, computed in f32.
    unrounded = loss_of(model, validation_ids, args.context, args.device)
    model.to(torch.bfloat16)
    write_model(args, model, tokenizer)
    model = LlamaForCausalLM.from_pretrained(args.out, dtype=torch.float32).to(args.device)
    validation = loss_of(model, validation_ids, args.context, args.device)
    training = loss_of(model, train_ids, args.context, args.device)
    texts = [sample(model, tokenizer, p, 320, args.seed, args.device) for p in SAMPLE_PROMPTS]
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(args).items()}
    settings["text"] = args.text.name
    for name in ("out", "max_minutes"):
        del settings[name]
    write_json(
        args.out / "training.json",
        {
            "validation_loss": validation,
            "validation_bits_per_byte": bits_per_byte(validation),
            "validation_loss_before_rounding": unrounded,
            "train_loss": training,
            "train_bits_per_byte": training / math.log(2) / (len(train_text.encode()) / (len(train_ids) - 1)),
            "bytes_per_token": bytes_per_token,
            "parameters": parameters,
            "train_tokens": len(train_ids),
            "validation_tokens": len(validation_ids),
            "best_step": best_step,
            "tokens_seen_at_best_step": best_step * args.batch * args.context,
            "tokens_seen": tokens_seen,
            "settings": settings,
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
                "tokenizers": tokenizers.__version__,
                "device": torch.cuda.get_device_name() if args.device.startswith("cuda") else "cpu",
            },
            "sampling": SAMPLING,
            "samples": texts,
            "history": history,
        },
    )
    print(f"best step {best_step}: validation {validation:.4f} nats/token = {bits_per_byte(validation):.4f} bits/byte")
    print(f"train {training:.4f} nats/token\n" + "\n-----\n".join(texts))


if __name__ == "__main__":
    main()
