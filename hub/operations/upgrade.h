#pragma once

#include <optional>

#include "hub/operations/call.h"
#include "hub/operations/context.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

struct UpgradeResult {
    std::optional<rundir::ProcessFiles> process;  ///< whose shim it was; nothing: the keeper
    Fleet::Upgrade upgrade;
};

/// Has one part of pp go on as the program that lies beside the hub's now: the shim of a process or, where none is named, the
/// keeper. Whatever they look after runs on and notices nothing. One at a time: who wants all of them asks for each, and sees
/// what becomes of one before it is the next one's turn.
Call upgrade(Context& context, const std::optional<Target>& target, const Caller& caller, OnResult<UpgradeResult> then);

}  // namespace pp::hub
