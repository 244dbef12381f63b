// Implementation of BatchJob.
#include "tools/quire/BatchJob.h"

#include "tools/quire/GenerationJson.h"

#include <unordered_map>

namespace quire::cli {

namespace {

/// Appends results. What was cancelled has none: it runs again the next time.
class ResultWriter : public GenerationOutput {
public:
  explicit ResultWriter(ResultFile &file) : file(file) {}
  Status text(std::string_view) override { return Status::ok(); }
  Status done(size_t, const Prompt &prompt, const Generated &generated) override {
    for (const GeneratedText &text : generated.texts)
      if (text.finish == FinishReason::Cancelled)
        return Status::ok();
    return file.append(generationJson(-1, prompt.id, prompt, generated));
  }

private:
  ResultFile &file;
};

} // namespace

Result<BatchJob> BatchJob::open(std::vector<Prompt> prompts, const std::string &output) {
  std::unordered_map<std::string, std::string> places; // by id
  for (Prompt &prompt : prompts) {
    if (prompt.id.empty())
      prompt.id = prompt.place.substr(prompt.place.rfind(':') + 1);
    auto [first, isNew] = places.emplace(prompt.id, prompt.place);
    if (!isNew)
      return Status::error(ErrorCode::InvalidArgument,
                           prompt.place + ": the id " + prompt.id + " is that of " + first->second +
                               "; results are told apart by it (without an id, a line has its "
                               "number)");
  }
  BatchJob job;
  QUIRE_ASSIGN_OR_RETURN(job.file, ResultFile::open(output));
  for (Prompt &prompt : prompts) {
    if (job.file->ids().contains(prompt.id))
      ++job.skipped_;
    else
      job.open_.push_back(std::move(prompt));
  }
  job.writer = std::make_unique<ResultWriter>(*job.file);
  return job;
}

} // namespace quire::cli
