#include "hub/operations/upgrade.h"

#include <memory>
#include <utility>

namespace pp::hub {

Call upgrade(Context& context, const std::optional<Target>& target, const Caller& caller, OnResult<UpgradeResult> then) {
    const auto call = std::make_shared<OnResult<UpgradeResult>>(std::move(then));
    try {
        const std::weak_ptr<OnResult<UpgradeResult>> weak = call;
        if (!target) {
            context.fleet.upgrade_keeper([weak](const Fleet::Upgrade& upgrade) {
                if (const auto answer = weak.lock()) (*answer)(UpgradeResult{std::nullopt, upgrade});
            });
            return call;
        }
        const auto process = resolve(context, *target, caller);
        context.fleet.upgrade_shim(process, [&context, process, weak](const Fleet::Upgrade& upgrade) {
            const auto answer = weak.lock();
            if (!answer) return;
            if (!context.registry.knows(process))
                return (*answer)(Refusal(Refusal::Kind::not_found, rundir::process_id(process) + " was cleared meanwhile"));
            (*answer)(UpgradeResult{context.registry.refresh(process), upgrade});
        });
    } catch (const Refusal& refusal) {
        (*call)(refusal);
    }
    return call;
}

}  // namespace pp::hub
