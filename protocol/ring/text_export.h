#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/ring/reader.h"

namespace pp::ring {

/// Text files of a run, for tools that want files.
struct TextExport {
    std::string directory;
    std::string name;         ///< of the process: the files are `name#run.combined.log`, …
    std::int64_t run = -1;    ///< as in Query
    bool times = false;       ///< each line begins with `[2026-01-31T23:59:59.123Z] `, when its first byte was taken
    bool raw = false;         ///< the bytes; else plain text, with no equal lines folded
};

struct ExportedText {
    std::vector<std::string> paths;  ///< combined; and of a run that was not merged, stdout and stderr
    std::uint32_t run = 0;
    std::uint64_t cursor = 0;      ///< up to here
    std::uint64_t lost_bytes = 0;  ///< of combined: overwritten before they were exported
};

/// Writes each file beside its name and renames it: who reads sees an older export or this one. Throws QueryRefused for a run
/// of which nothing is known, and std::system_error where the disk refuses; nothing half is left then.
ExportedText export_text(Reader& reader, const TextExport& wanted);

}  // namespace pp::ring
