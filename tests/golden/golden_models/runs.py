"""What a model computes: logits, and greedy choices with how clear they were."""

import torch

MARGIN = 5e-3  # least distance between the best and the second logit of a greedy step


@torch.no_grad()
def logits_of(model, ids):
    """Logits [tokens, vocab] in the model's dtype."""
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


@torch.no_grad()
def greedy(model, prompt, steps):
    """(tokens, logits [prompt + steps - 1, vocab], least margin), by the whole sequence anew each step."""
    ids, margins = list(prompt), []
    for _ in range(steps):
        logits = logits_of(model, ids)
        best = logits[-1].float().topk(2)
        margins.append(float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    assert logits[len(prompt) - 1 :].argmax(-1).tolist() == ids[len(prompt) :]
    return ids[len(prompt) :], logits, min(margins)


@torch.no_grad()
def check_cached(model, prompt, tokens, expected):
    """The same logits must come out of prefill + decode through the cache."""
    out = model(input_ids=torch.tensor([prompt]), use_cache=True)
    rows = [out.logits[0]]
    for token in tokens[:-1]:
        out = model(input_ids=torch.tensor([[token]]), past_key_values=out.past_key_values, use_cache=True)
        rows.append(out.logits[0])
    error = float((torch.cat(rows) - expected).abs().max() / expected.abs().max())
    assert error < 2e-5, f"cached and uncached logits differ by {error}"


def relative(value, reference):
    return float((value.float() - reference.float()).norm() / reference.float().norm())
