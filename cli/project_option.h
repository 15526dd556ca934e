#pragma once

#include <string>

namespace pp::cli {

/// The directory that --project names, absolute and without symlinks. Throws Failure (usage).
std::string project_given(const std::string& path);

}  // namespace pp::cli
