// Implements Plan.h: gets the bytes, has them validated, and keeps where each section lies.
#include "runtime/plan/Plan.h"

#include "runtime/plan/Validate.h"

namespace quire {

Result<Plan> Plan::open(const std::string &path) {
  QUIRE_ASSIGN_OR_RETURN(Mapping mapping, Mapping::open(path));
  Plan plan;
  plan.name_ = path;
  plan.mapping_ = std::move(mapping);
  plan.bytes_ = plan.mapping_.bytes();
  QUIRE_RETURN_IF_ERROR(plan.validateAndIndex());
  return plan;
}

Result<Plan> Plan::fromBytes(std::vector<uint8_t> bytes, std::string name) {
  Plan plan;
  plan.name_ = std::move(name);
  plan.owned_ = std::move(bytes);
  plan.bytes_ = plan.owned_;
  QUIRE_RETURN_IF_ERROR(plan.validateAndIndex());
  return plan;
}

Status Plan::validateAndIndex() {
  auto sections = plan::validateContainer(bytes_);
  if (!sections.isOk())
    return Status(sections.status()).withContext(name_);
  sections_ = *sections;
  return plan::validateRecords(sections_).withContext(name_);
}

const plan::Header &Plan::header() const {
  return *reinterpret_cast<const plan::Header *>(bytes_.data());
}

std::string_view Plan::string(plan::StringRef reference) const {
  auto strings = section(plan::SectionKind::Strings);
  return {reinterpret_cast<const char *>(strings.data()) + reference.offset, reference.size};
}

uint32_t Plan::findTensor(std::string_view name) const {
  auto all = tensors();
  for (uint32_t i = 0; i < all.size(); ++i)
    if (string(all[i].name) == name)
      return i;
  return plan::kNone;
}

} // namespace quire
