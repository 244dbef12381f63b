// The folder of templates: which of them serves a config.json.
#include "compiler/import/JsonFile.h"
#include "compiler/import/Template.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace quire;
using namespace quire::importer;

namespace {

std::vector<std::string> texts(const nlohmann::json &json, const char *key) {
  std::vector<std::string> result;
  auto found = json.find(key);
  if (found != json.end() && found->is_string())
    result.push_back(found->get<std::string>());
  if (found != json.end() && found->is_array())
    for (const nlohmann::json &element : *found)
      if (element.is_string())
        result.push_back(element.get<std::string>());
  return result;
}

Result<std::vector<std::string>> templateFiles(const std::string &folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator entry(folder, error), end; entry != end && !error;
       entry.increment(error))
    if (llvm::sys::path::extension(entry->path()) == ".json")
      files.push_back(llvm::sys::path::filename(entry->path()).str());
  if (error)
    return Status::error(ErrorCode::NotFound,
                         "the template folder " + folder + ": " + error.message());
  llvm::sort(files);
  return files;
}

bool intersects(const std::vector<std::string> &a, const std::vector<std::string> &b) {
  return llvm::any_of(a, [&](const std::string &value) { return llvm::is_contained(b, value); });
}

} // namespace

TemplateReader quire::importer::folderReader(std::string folder) {
  return [folder = std::move(folder)](const std::string &name) {
    return readText(folder + "/" + name);
  };
}

Result<Template> quire::importer::chooseTemplate(const std::string &folder,
                                                 const nlohmann::json &config) {
  std::vector<std::string> architectures = texts(config, "architectures");
  std::vector<std::string> types = texts(config, "model_type");
  if (architectures.empty() && types.empty())
    return Status::error(ErrorCode::InvalidArgument,
                         "config.json: names neither architectures nor a model_type");
  QUIRE_ASSIGN_OR_RETURN(std::vector<std::string> files, templateFiles(folder));

  std::vector<std::string> supported, serving;
  TemplateReader read = folderReader(folder);
  for (const std::string &file : files) {
    QUIRE_ASSIGN_OR_RETURN(std::string text, read(file));
    QUIRE_ASSIGN_OR_RETURN(nlohmann::json json, parseJson(text, folder + "/" + file));
    std::vector<std::string> served = texts(json, "architectures");
    supported.insert(supported.end(), served.begin(), served.end());
    // The type alone does not tell a language model from a classifier of the same family.
    if (architectures.empty() ? intersects(types, texts(json, "model_types"))
                              : intersects(architectures, served))
      serving.push_back(file);
  }
  if (serving.size() == 1)
    return loadTemplate(serving.front(), read);
  std::string asked = architectures.empty() ? "model_type \"" + types.front() + "\""
                                            : "architecture \"" + architectures.front() + "\"";
  if (!serving.empty())
    return Status::error(ErrorCode::InvalidArgument, asked + " is served by several templates: " +
                                                         llvm::join(serving, ", "));
  return Status::error(ErrorCode::Unsupported,
                       "config.json: " + asked + " is not supported; supported are " +
                           llvm::join(supported, ", ") + ". A new family is one file in " + folder +
                           ", see README.md there");
}
