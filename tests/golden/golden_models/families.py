"""All families of language models, in the order in which they are made."""

from golden_models import gemma2, gpt2, llama, mistral, qwen

# Per family: config.json as published models of that family spell it, the scale of its random weights
# (`embedding` standard deviation, `query_key` gain over 1/sqrt(fan in), `norm` and `final_norm` mean of the
# norm weights), and the features that must matter.
FAMILIES = llama.FAMILIES | mistral.FAMILIES | qwen.FAMILIES | gemma2.FAMILIES | gpt2.FAMILIES
