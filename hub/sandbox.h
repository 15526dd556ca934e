#pragma once

#include <cstdint>
#include <string>

namespace pp::hub {

/// In what way this program is confined: whatever it starts is, too. What confines the whole machine or container, of
/// which the first process is the measure, is no sandbox.
class Sandbox {
  public:
    /// Looks at ourselves: a confinement is never taken off.
    Sandbox();

    /// "a seccomp filter, landlock"; empty: none that can be told. Of us and of the keeper (0: there is none), whose
    /// children our processes are, for a caller in this pid namespace (0: not known): to him another one is a sandbox.
    [[nodiscard]] std::string ways(int keeper_pid, std::uint64_t callers_pid_namespace) const;
    [[nodiscard]] std::uint64_t pid_namespace() const { return pid_namespace_; }

  private:
    struct Confinement {
        int seccomp = 0;  ///< filters; 1 for the strict mode
        int no_new_privs = 0;
    };
    static Confinement confinement_in(const std::string& status);

    std::uint64_t pid_namespace_;
    bool is_inner_ = false;  ///< of a pid namespace that is not the one of all who may call
    Confinement first_;      ///< of the first process
    Confinement own_;
    bool has_landlock_ = false;
};

}  // namespace pp::hub
