#pragma once

#include <cstdint>
#include <string>

#include "protocol/rundir/process_files.h"

namespace pp::hub {

/// "p3 web: running, pid 123, run 1 — npm run dev in /x".
std::string process_line(const rundir::ProcessFiles& files);

/// How a process is told, but for what changes without anything happening to it: made once, for many lists.
class ProcessText {
  public:
    explicit ProcessText(const rundir::ProcessFiles& files);

    /// The process as JSON, an object. `files` as those that this was made of, or with a newer cursor.
    void append_json(std::string& text, const rundir::ProcessFiles& files, std::int64_t now_ns) const;
    [[nodiscard]] const std::string& line() const { return line_; }

  private:
    std::string settled_;  ///< JSON without its closing brace
    std::string line_;
};

}  // namespace pp::hub
