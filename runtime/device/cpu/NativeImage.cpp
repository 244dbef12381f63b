// Implements NativeImage.h.
#include "runtime/device/cpu/NativeImage.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>

namespace quire {

Result<std::unique_ptr<NativeImage>> NativeImage::load(const Plan &plan,
                                                       const plan::ImageRecord &record) {
  std::unique_ptr<NativeImage> image(new NativeImage());
  if (record.bytes == 0)
    return image; // a plan without kernels
  void *mapping = ::mmap(nullptr, record.bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    return Status::error(ErrorCode::ResourceExhausted,
                         "cannot get " + std::to_string(record.bytes) +
                             " bytes for native code: " + std::strerror(errno));
  image->mapping_ = mapping;
  image->bytes_ = record.bytes;
  std::memcpy(mapping, plan.code(record).data(), record.bytes);
  if (::mprotect(mapping, record.bytes, PROT_READ | PROT_EXEC) != 0)
    return Status::error(ErrorCode::Unsupported,
                         std::string("this system does not allow executable memory, which the "
                                     "plan's native code needs: ") +
                             std::strerror(errno));
  auto *code = static_cast<uint8_t *>(mapping);
  for (const plan::EntryRecord &entry :
       plan.entries().subspan(record.firstEntry, record.entryCount))
    image->kernels_.push_back(reinterpret_cast<plan::CpuKernel>(code + entry.codeOffset));
  return image;
}

NativeImage::~NativeImage() {
  if (mapping_)
    ::munmap(mapping_, bytes_);
}

} // namespace quire
