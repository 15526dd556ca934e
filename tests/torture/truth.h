#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pp::torture {

/// What the programs of a storm have said of themselves.
class Truth {
  public:
    explicit Truth(const std::string& path);

    struct Run {
        std::vector<pid_t> pids;        ///< of all that began as this run; one, if all is well
        std::optional<int> ended_with;  ///< by itself
    };
    using Key = std::pair<std::uint64_t, std::uint32_t>;  ///< process and run
    [[nodiscard]] const std::map<Key, Run>& runs() const { return runs_; }
    [[nodiscard]] const Run* find(std::uint64_t process, std::uint32_t run) const;

  private:
    std::map<Key, Run> runs_;
};

}  // namespace pp::torture
