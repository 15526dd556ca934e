#pragma once

#include <string>
#include <vector>

namespace pp::os {

/// A NULL-ended array of C strings, as execve wants it. Holds its own copies.
class CStrings {
  public:
    explicit CStrings(std::vector<std::string> strings) : strings_{std::move(strings)} { point(); }
    CStrings(const std::string& first, const std::vector<std::string>& rest) {
        strings_.push_back(first);
        strings_.insert(strings_.end(), rest.begin(), rest.end());
        point();
    }
    CStrings(const CStrings&) = delete;
    CStrings& operator=(const CStrings&) = delete;

    [[nodiscard]] char* const* get() const { return pointers_.data(); }

  private:
    void point() {
        for (auto& string : strings_) pointers_.push_back(string.data());
        pointers_.push_back(nullptr);
    }
    std::vector<std::string> strings_;
    std::vector<char*> pointers_;
};

}  // namespace pp::os
