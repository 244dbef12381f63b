// BatchJob: `quire run --file prompts.jsonl --output results.jsonl`. Each prompt has an id, by
// default the number of its line. Results are appended in the order of their ends. Ids that the output has
// already are skipped, so the same command goes on with a job that was interrupted.
#pragma once

#include "tools/quire/Generation.h"
#include "tools/quire/ResultFile.h"

namespace quire::cli {

/// A file of prompts and the results that it has.
class BatchJob {
public:
  /// Gives ids to prompts without one and drops those whose result is there. InvalidArgument names
  /// the lines of a repeated id; the errors of ResultFile::open.
  static Result<BatchJob> open(std::vector<Prompt> prompts, const std::string &output);

  const std::vector<Prompt> &prompts() const { return open_; }
  size_t skipped() const { return skipped_; }
  /// Results in the output whose id the file of prompts has not.
  size_t foreign() const { return file->ids().size() - skipped_; }
  GenerationOutput &output() { return *writer; }

private:
  std::vector<Prompt> open_;
  size_t skipped_ = 0;
  std::unique_ptr<ResultFile> file;
  std::unique_ptr<GenerationOutput> writer;
};

} // namespace quire::cli
