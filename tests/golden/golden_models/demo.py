"""Greedy continuations of the demo model."""

import json

import tokenizers
import torch
from transformers import AutoModelForCausalLM

from golden_models.files import versions
from golden_models.runs import MARGIN, check_cached, greedy

DEMO_PROMPTS = [
    "ROMEO:\n",
    "KING RICHARD III:\nNow is the winter",
    "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\n",
    "JULIET:\nO Romeo, Romeo!",
    "To be, or not to be",
    "The",
    "DUKE VINCENTIO:\nMy lord, I know not what to say; but if the king\nWill hear me",
    "QUEEN MARGARET:\nWhat, is he dead?\n\nGLOUCESTER:\n",
    "Second Murderer:\n",
    "PETRUCHIO:\nCome, Kate,",
]


@torch.no_grad()
def make_demo(model_dir, file):
    """Greedy continuations of the demo model: its bf16 weights, f32 arithmetic."""
    tokenizer = tokenizers.Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32, attn_implementation="eager").eval()
    cases = []
    for prompt in DEMO_PROMPTS:
        ids = tokenizer.encode(prompt).ids
        tokens, logits, margin = greedy(model, ids, 64)
        if margin < MARGIN:
            print(f"demo: left out {prompt!r}: margin {margin:.1e}", flush=True)
            continue
        check_cached(model, ids, tokens, logits)
        top = logits[len(ids) - 1 :].topk(8)
        cases.append(
            {
                "prompt": prompt,
                "prompt_ids": ids,
                "tokens": tokens,
                "text": tokenizer.decode(tokens, skip_special_tokens=False),
                "least_margin": margin,
                "top_ids": top.indices.tolist(),
                "top_logits": [[round(x, 5) for x in row] for row in top.values.tolist()],
            }
        )
    assert cases, "no prompt with clear choices"
    # One line a case and a field: the lists are long and read by programs.
    lines = ",\n  ".join(json.dumps(case, ensure_ascii=False) for case in cases)
    file.write_text(f'{{"versions": {json.dumps(versions())},\n "cases": [\n  {lines}\n ]}}\n')
    print(f"demo: {len(cases)} of {len(DEMO_PROMPTS)} prompts, least margin {min(c['least_margin'] for c in cases):.4f}")
