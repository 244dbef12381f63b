// Implementation of CostFit.
#include "runtime/sched/CostFit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

namespace quire {

namespace {

constexpr int kStairs = int(CostModel::kFewRows.size());
constexpr int kLines = 8; ///< terms that are no stairs
constexpr int kTerms = kLines + kStairs;
using Terms = std::array<double, kTerms>;

Terms termsOf(const StepWork &shape, int32_t tileRows) {
  Terms terms = {1.0,
                 double(shape.tokens),
                 double(shape.sequences),
                 double(shape.samples),
                 double(shape.decodeKeys),
                 double(shape.prefillPairs),
                 double(shape.prefillKeys),
                 double((shape.tokens - 1) / tileRows)};
  for (int i = 0; i < kStairs; ++i)
    terms[kLines + i] = shape.tokens > CostModel::kFewRows[i];
  return terms;
}

CostModel modelOf(const Terms &terms, int32_t tileRows) {
  CostModel cost = {terms[0], terms[1], terms[2], terms[3], terms[4], terms[5], terms[6]};
  cost.perTile = terms[7];
  cost.tileRows = tileRows;
  for (int i = 0; i < kStairs; ++i)
    cost.aboveRows[i] = terms[kLines + i];
  return cost;
}

/// The system of normal equations, and its solution over some of the terms.
struct Equations {
  std::array<Terms, kTerms> matrix{};
  Terms right{};

  void add(const Terms &terms, double value, double weight) {
    for (int i = 0; i < kTerms; ++i) {
      right[i] += weight * terms[i] * value;
      for (int j = 0; j < kTerms; ++j)
        matrix[i][j] += weight * terms[i] * terms[j];
    }
  }

  /// Gaussian elimination on the terms that are `used`; the others, and those that others express
  /// already, are 0.
  Terms solve(const std::array<bool, kTerms> &used) const {
    std::array<Terms, kTerms> a = matrix;
    Terms b = right, solution{}, scale{};
    for (int i = 0; i < kTerms; ++i)
      scale[i] = a[i][i] > 0 ? 1 / std::sqrt(a[i][i]) : 0;
    for (int i = 0; i < kTerms; ++i) {
      b[i] *= scale[i];
      for (int j = 0; j < kTerms; ++j)
        a[i][j] *= scale[i] * scale[j];
    }
    std::array<bool, kTerms> pivots{};
    for (int k = 0; k < kTerms; ++k) {
      pivots[k] = used[k] && a[k][k] > 1e-9;
      if (!pivots[k])
        continue;
      for (int i = 0; i < kTerms; ++i) {
        if (i == k || !used[i])
          continue;
        double factor = a[i][k] / a[k][k];
        for (int j = 0; j < kTerms; ++j)
          a[i][j] -= factor * a[k][j];
        b[i] -= factor * b[k];
      }
    }
    for (int k = 0; k < kTerms; ++k)
      solution[k] = pivots[k] ? scale[k] * b[k] / a[k][k] : 0;
    return solution;
  }

  /// The best of all solutions that are not negative (Lawson and Hanson, Solving Least Squares
  /// Problems, chapter 23): terms come in where they help most, and leave where they would turn
  /// negative.
  Terms solveNonNegative() const {
    std::array<bool, kTerms> used{};
    Terms solution{};
    for (int round = 0; round < 10 * kTerms; ++round) {
      int best = -1;
      double most = 1e-9;
      for (int i = 0; i < kTerms; ++i) {
        if (used[i] || !(matrix[i][i] > 0))
          continue;
        double gradient = right[i];
        for (int j = 0; j < kTerms; ++j)
          gradient -= matrix[i][j] * solution[j];
        gradient /= std::sqrt(matrix[i][i]);
        if (gradient > most) {
          most = gradient;
          best = i;
        }
      }
      if (best < 0)
        break;
      used[best] = true;
      for (;;) {
        Terms wanted = solve(used);
        double way = 1; // from the solution to the wanted one, until a term is 0
        for (int i = 0; i < kTerms; ++i)
          if (used[i] && wanted[i] <= 0)
            way = std::min(way, solution[i] / (solution[i] - wanted[i]));
        bool left = false;
        for (int i = 0; i < kTerms; ++i) {
          bool negative = used[i] && wanted[i] <= 0;
          solution[i] += way * (wanted[i] - solution[i]);
          if (negative && solution[i] <= 1e-12) {
            solution[i] = 0;
            used[i] = false;
            left = true;
          }
        }
        if (!left)
          break;
      }
    }
    return solution;
  }
};

/// A fit with tiles of so many rows.
CostFit fitTiles(std::span<const MeasuredStep> steps, int32_t tileRows) {
  constexpr double kFarOff = 4; // median errors
  Equations first;
  for (const MeasuredStep &step : steps)
    first.add(termsOf(step.shape, tileRows), step.micros, 1 / (step.micros * step.micros));
  CostFit fit;
  fit.cost = modelOf(first.solveNonNegative(), tileRows);

  std::vector<double> errors(steps.size());
  auto judge = [&] {
    double predicted = 0, measured = 0;
    for (size_t i = 0; i < steps.size(); ++i) {
      double micros = fit.cost.stepMicros(steps[i].shape);
      errors[i] = std::abs(micros - steps[i].micros) / steps[i].micros;
      predicted += micros;
      measured += steps[i].micros;
    }
    fit.meanError = std::accumulate(errors.begin(), errors.end(), 0.0) / double(errors.size());
    auto middle = errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2);
    std::nth_element(errors.begin(), middle, errors.end());
    fit.medianError = *middle;
    fit.sumError = predicted / measured - 1;
  };
  judge();
  // Weights from the prediction: those from the times themselves favour steps timed too short.
  for (int pass = 0; pass < 2; ++pass) {
    double far = std::max(kFarOff * fit.medianError, 0.02);
    Equations again;
    for (const MeasuredStep &step : steps) {
      double predicted = fit.cost.stepMicros(step.shape);
      if (predicted > 0 && std::abs(predicted - step.micros) <= far * predicted)
        again.add(termsOf(step.shape, tileRows), step.micros, 1 / (predicted * predicted));
    }
    fit.cost = modelOf(again.solveNonNegative(), tileRows);
    judge();
  }
  return fit;
}

} // namespace

Result<CostFit> fitCostModel(std::span<const MeasuredStep> steps) {
  constexpr size_t kLeastSteps = 16;
  if (steps.size() < kLeastSteps)
    return Status::error(ErrorCode::InvalidArgument,
                         "costs are fitted to at least " + std::to_string(kLeastSteps) +
                             " steps, not to " + std::to_string(steps.size()) +
                             "; measure for longer");
  for (const MeasuredStep &step : steps)
    if (!(step.micros > 0))
      return Status::error(ErrorCode::InvalidArgument, "a measured step took no time");
  CostFit best = fitTiles(steps, 1);
  for (int32_t tileRows : {8, 16, 32, 64, 128, 256})
    if (CostFit fit = fitTiles(steps, tileRows); fit.meanError < best.meanError)
      best = fit;
  return best;
}

} // namespace quire
