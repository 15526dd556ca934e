#include "protocol/os/mapped_file.h"

#include <sys/mman.h>

#include "protocol/os/error.h"

namespace pp::os {

MappedFile::MappedFile(int fd, std::size_t offset, std::size_t size, Access access, bool populate) : size_{size} {
    const int protection = access == Access::read ? PROT_READ : PROT_READ | PROT_WRITE;
    void* mapped =
        ::mmap(nullptr, size, protection, MAP_SHARED | (populate ? MAP_POPULATE : 0), fd, static_cast<off_t>(offset));
    if (mapped == MAP_FAILED) throw_errno("mmap");  // NOLINT(performance-no-int-to-ptr)
    data_ = static_cast<std::byte*>(mapped);
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace pp::os
