#include "tests/torture/storm.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"
#include "protocol/rundir/home.h"
#include "tests/torture/aftermath.h"
#include "tests/torture/client.h"
#include "tests/torture/http_client.h"
#include "tests/torture/kill_log.h"

namespace pp::torture {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kPatience{120};
constexpr std::array kMainSignals = {SIGKILL, SIGTERM, SIGINT, SIGUSR1};

using Ask = std::function<Said(const std::string& operation, const json& arguments)>;

/// So that refusals which differ in names and numbers alone count as one.
std::string kind_of(std::string text) {
    text = text.substr(0, text.find('\n'));
    std::string kind;
    for (const char c : text) {
        const bool is_digit = c >= '0' && c <= '9';
        if (is_digit && !kind.empty() && kind.back() == '#') continue;
        kind += is_digit ? '#' : c;
    }
    return kind.substr(0, 100);
}

class Storm {
  public:
    Storm(const StormPlan& plan, Random random, const std::function<void(std::uint64_t)>& on_progress)
        : plan_{plan}, random_{random}, on_progress_{on_progress}, truth_{installation_.work() + "/truth"} {}

    StormOutcome run();

  private:
    void prepare();
    void rage();
    void be_client(const Ask& ask, Random random);
    [[nodiscard]] bool is_over() const;
    void step(const Ask& ask, Random& random);
    std::pair<std::string, json> next_request(Random& random);
    [[nodiscard]] json command_of(std::size_t slot) const;
    void note(const std::string& operation, const Said& said);
    void kill_main(Random& random);
    void kill_shim(Random& random);
    void kill_keeper();
    void kill_hub();
    std::optional<std::pair<std::uint64_t, ring::StateSnapshot>> any_process(Random& random) const;
    void violate(const std::string& what);

    const StormPlan& plan_;
    Random random_;
    const std::function<void(std::uint64_t)>& on_progress_;
    test::Installation installation_;
    Watchdog dog_{kPatience, installation_};
    std::string truth_;
    KillLog kills_;
    std::chrono::steady_clock::time_point end_;
    std::atomic<std::uint64_t> operations_ = 0;
    std::mutex mutex_;
    StormOutcome outcome_;
};

StormOutcome Storm::run() {
    prepare();
    rage();
    outcome_.operations = operations_;
    outcome_.hubs_killed = kills_.hubs();
    outcome_.keepers_killed = kills_.keepers();
    outcome_.shims_killed = kills_.shims();
    outcome_.mains_killed = kills_.mains();
    Aftermath aftermath{dog_, installation_, truth_, kills_};
    aftermath.look();
    outcome_.runs = aftermath.runs();
    outcome_.unknown_exits = aftermath.unknown_exits();
    for (const auto& violation : aftermath.violations()) violate(violation);
    return std::move(outcome_);
}

/// One start by a person, so that agents' children have the same environment.
void Storm::prepare() {
    const std::string broken = installation_.work() + "/broken";
    std::ofstream{broken} << "#!/no/such/interpreter\n";
    ::chmod(broken.c_str(), 0700);
    std::ofstream{truth_};
    Client client{dog_, installation_};
    client.insist("start", {{"command", command_of(0)}, {"name", "s0"}, {"wait", {{"for", "none"}}}});
    end_ = std::chrono::steady_clock::now() + plan_.duration;
}

void Storm::rage() {
    std::vector<std::jthread> clients;
    for (int i = 0; i < plan_.control_clients; ++i) {
        clients.emplace_back([this, random = random_.split()] {
            Client client{dog_, installation_};
            be_client([&](const auto& operation, const auto& arguments) { return client.ask(operation, arguments); }, random);
        });
    }
    for (int i = 0; i < plan_.http_clients; ++i) {
        clients.emplace_back([this, random = random_.split()] {
            HttpClient client{dog_, installation_};
            be_client([&](const auto& tool, const auto& arguments) { return client.ask(tool, arguments); }, random);
        });
    }
}

bool Storm::is_over() const {
    return operations_ >= plan_.operations && std::chrono::steady_clock::now() >= end_;
}

void Storm::be_client(const Ask& ask, Random random) {
    try {
        while (!is_over()) {
            step(ask, random);
            const auto done = ++operations_;
            if (done % plan_.operations_a_hub == 0) kill_hub();
            if (on_progress_) on_progress_(done);
        }
    } catch (const std::exception& error) {
        violate(std::string{"a client failed: "} + error.what());
    }
}

void Storm::step(const Ask& ask, Random& random) {
    const int dice = random.within(1, 100);
    if (dice <= 8) return kill_main(random);
    if (dice <= 11) return kill_shim(random);
    if (dice == 12) return kill_keeper();
    const auto [operation, arguments] = next_request(random);
    note(operation, ask(operation, arguments));
}

std::pair<std::string, json> Storm::next_request(Random& random) {
    const auto slot = random.within<std::size_t>(0, plan_.processes - 1);
    const json name = "s" + std::to_string(slot);
    const int dice = random.within(1, 100);
    if (dice <= 40)
        return {"start", {{"command", command_of(slot)},
                          {"name", name},
                          {"working_directory", installation_.work()},
                          {"replace", random.one_in(5)},
                          {"wait", {{"for", random.one_in(4) ? "settled" : "none"}, {"timeout", 0.3}}}}};
    if (dice <= 60) return {"stop", {{"process", name}, {"timeout", 0.2}, {"force", random.one_in(4)}}};
    if (dice <= 75) return {"restart", {{"process", name}, {"timeout", 0.2}}};
    if (dice <= 84) return {"clear", {{"process", name}}};
    if (dice == 85) return {"clear", {{"all", true}, {"project", "all"}}};
    if (dice <= 92) return {"get_status", {{"process", name}}};
    if (dice <= 96) return {"get_output", {{"process", name}}};
    return {"list", json::object()};
}

json Storm::command_of(std::size_t slot) const {
    if (slot % 25 == 24) return {installation_.work() + "/broken", std::to_string(slot)};
    constexpr std::array kWays = {"stay", "tidy", "brief", "tidy", "stay", "deaf", "brief", "tidy", "parent", "stay"};
    return {installation_.program("torture_actor"), truth_, kWays[slot % kWays.size()], std::to_string(slot), "s" + std::to_string(slot)};
}

/// Who asks in a storm may be refused, and may not be told; but no refusal may say that something did not come.
void Storm::note(const std::string& operation, const Said& said) {
    const std::string how = said.ok ? "done" : said.lost ? "not known" : kind_of(said.text);
    const bool is_bad = !said.ok && !said.lost &&
                        (how.find("in time") != how.npos || how.find("damaged") != how.npos || how.starts_with("HTTP"));
    const std::scoped_lock lock{mutex_};
    ++outcome_.answers[operation + ": " + how];
    if (is_bad) outcome_.violations.push_back(operation + " was answered: " + said.text);
}

void Storm::violate(const std::string& what) {
    const std::scoped_lock lock{mutex_};
    outcome_.violations.push_back(what);
}

std::optional<std::pair<std::uint64_t, ring::StateSnapshot>> Storm::any_process(Random& random) const {
    const auto known = installation_.home().known_processes();
    if (known.empty()) return std::nullopt;
    const auto process = random.one_of(known);
    const auto state = ring::find_state(installation_.home().state_page(process));
    return state ? std::optional{std::pair{process, *state}} : std::nullopt;
}

/// Written down before it is sent.
void Storm::kill_main(Random& random) {
    const auto found = any_process(random);
    if (!found || found->second.lifecycle.exit_kind != ring::ExitKind::none || found->second.lifecycle.main_pid <= 0) return;
    const auto& life = found->second.lifecycle;
    const auto main = os::PidFd::find(life.main_pid);
    const auto mark = rundir::process_id(found->first) + "#" + std::to_string(life.run);
    if (!main || os::find_environment_value(life.main_pid, "PP_PROCESS") != mark) return;
    const int signal = random.one_of(kMainSignals);
    kills_.add_main({found->first, life.run, signal});
    main->send_signal(signal);
}

void Storm::kill_shim(Random& random) {
    const auto found = any_process(random);
    const pid_t pid = found ? found->second.lifecycle.shim_pid : 0;
    const auto shim = pid > 0 ? os::PidFd::find(pid) : std::nullopt;
    const auto stat = shim ? os::find_proc_stat(pid) : std::nullopt;
    if (!stat || stat->comm != "pp-shim" || stat->state == 'Z') return;
    kills_.add_shim(found->first);
    shim->send_signal(SIGKILL);
}

void Storm::kill_keeper() {
    const pid_t pid = installation_.keeper_pid();
    const auto keeper = pid > 0 ? os::PidFd::find(pid) : std::nullopt;
    if (!keeper) return;
    kills_.add_keeper();
    keeper->send_signal(SIGKILL);
}

void Storm::kill_hub() {
    const pid_t pid = installation_.hub_pid();
    const auto hub = pid > 0 ? os::PidFd::find(pid) : std::nullopt;
    if (!hub) return;
    kills_.add_hub();
    hub->send_signal(SIGKILL);
}

}  // namespace

StormOutcome torture_by_storm(const StormPlan& plan, Random random,
                              const std::function<void(std::uint64_t operations)>& on_progress) {
    Storm storm{plan, random, on_progress};
    return storm.run();
}

}  // namespace pp::torture
