// What a plan must give to agree with Hugging Face transformers (tests/golden/models/README.md): the
// criteria, apart from how the plan was made and on which device it runs.
#pragma once

#include "tests/tools/quire-diff/PagedSession.h"
#include "tests/tools/quire-golden/GoldenFile.h"

#include <nlohmann/json_fwd.hpp>

namespace quire::test {

/// A 64-token prefill, whole, in chunks of odd sizes and token by token, and 32 greedy steps give the
/// golden tokens exactly and all logits within 1e-4 of the largest.
Status checkF32(PagedSession &session, const GoldenFile &golden, std::mt19937_64 &random);

/// Every weight rounded to bf16: our error against exact arithmetic is at most twice the bf16
/// reference's error plus one rounding, in the maximum and in the norm (the rule of FlashAttention-3,
/// arXiv 2407.08608).
Status checkBf16(PagedSession &session, const GoldenFile &golden);

/// A multi-layer perceptron: tensor `output.<activation>` of the golden file within 1e-5.
Status checkPerceptron(PagedSession &session, const GoldenFile &golden,
                       const std::string &activation);
inline constexpr const char *kActivations[] = {"gelu", "gelu_pytorch_tanh", "relu", "silu", "tanh"};

/// Recorded greedy continuations of the demo model: tokens exact, the eight best logits of every step
/// within 1e-4 of the largest.
Status checkDemo(PagedSession &session, const nlohmann::json &record);

} // namespace quire::test
