// Attributes by which a module says that it is an operator on its own, cut out of a model to be
// measured: it is given and returns what would be activations inside, and its weights have no files.
#pragma once

namespace quire::compiler {

/// On @step, a float type: inputs and outputs have the type of activations, see
/// quire-narrow-activations.
inline constexpr char kActivationsAttr[] = "quire.activations";

/// On the module, unit: weights are random numbers, see plan::SourceKind::Random.
inline constexpr char kRandomWeightsAttr[] = "quire.random_weights";

} // namespace quire::compiler
