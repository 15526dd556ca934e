#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/doctor/cgroup.h"
#include "cli/doctor/file_system.h"
#include "cli/doctor/hub.h"
#include "cli/doctor/kernel.h"
#include "cli/doctor/limits.h"
#include "cli/doctor/login.h"
#include "cli/doctor/probe.h"
#include "cli/doctor/processes.h"
#include "cli/doctor/programs.h"
#include "cli/doctor/run_directory.h"
#include "cli/doctor/running_programs.h"
#include "cli/doctor/sandbox.h"
#include "cli/doctor/state_directory.h"
#include "cli/doctor/strays.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::cli::doctor;
using Catch::Matchers::Contains;

namespace {

/// The only one, or the test fails.
Finding only(const Findings& findings) {
    REQUIRE(findings.size() == 1);
    return findings.front();
}

/// The one that is a problem.
Finding only_problem(const Findings& findings) {
    Findings problems;
    for (const auto& finding : findings) {
        if (finding.level == Level::problem) problems.push_back(finding);
    }
    return only(problems);
}

bool all_fine(const Findings& findings) {
    for (const auto& finding : findings) {
        if (finding.level != Level::ok) return false;
    }
    return !findings.empty();
}

RunningProgram running(const std::string& name, pid_t pid, std::uint64_t process = 0) {
    RunningProgram program;
    program.name = name;
    program.pid = pid;
    program.process = process;
    program.state = 'S';
    program.path = "/x/" + name;
    return program;
}

/// Of whatever is set in it by `change`.
template <class Facts, class Change>
Findings judged(Change change) {
    Facts facts;
    change(facts);
    return judge(facts);
}

/// A tree of files of the test's own, in the place of /.
struct Root {
    test::TempDir directory;
    [[nodiscard]] const std::string& path() const { return directory.path(); }
    void write(const std::string& name, const std::string& text) const {
        const std::filesystem::path file = path() + name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream{file} << text;
    }
};

}  // namespace

TEST_CASE("a finding is one line, whatever names and errors hold", "[cli][doctor]") {
    const auto line = line_of(problem("files", "a\nb\x1b[31m", "do\nthis"), false);
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(line.find('\x1b') == std::string::npos);
    CHECK_THAT(line, Contains("problem  files: ") && Contains(" — do this"));
    CHECK(line_of(fine("kernel", "all"), false) == "ok       kernel: all\n");
    const auto json = json_of({fine("a", "b"), problem("c", "d", "e"), note("f", "g")});
    CHECK(json["problems"] == 1);
    CHECK(json["notes"] == 1);
    CHECK(json["findings"][1]["advice"] == "e");
    CHECK(json["findings"][0]["advice"].is_null());
}

TEST_CASE("what was tried and works is one line, what does not is one each", "[cli][doctor]") {
    const auto findings = judge("kernel", "Linux 4.4",
                                {{"pidfd_open", 0, ""},
                                 {"close_range", ENOSYS, "children would inherit"},
                                 {"x", ENOSYS, "slower", false}},
                                "a later kernel");
    REQUIRE(findings.size() == 3);
    CHECK(findings[0].level == Level::ok);
    CHECK_THAT(findings[0].what, Contains("pidfd_open"));
    CHECK(findings[1].level == Level::problem);
    CHECK_THAT(findings[1].what, Contains("close_range") && Contains("children would inherit"));
    CHECK(findings[1].advice == "a later kernel");
    CHECK(findings[2].level == Level::note);
}

TEST_CASE("this kernel and this file system can do what pp needs", "[cli][doctor]") {
    for (const auto& probe : kernel_probes()) {
        INFO(probe.name);
        if (probe.needed) CHECK(probe.error == 0);
    }
    const test::TempDir directory;
    for (const auto& probe : run_probes(directory.path())) CHECK(probe.error == 0);
    for (const auto& probe : state_probes(directory.path(), directory.path())) CHECK(probe.error == 0);
    CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("a directory without room, or that is not there, is told by its first probe", "[cli][doctor]") {
    const auto probes = state_probes("/nowhere/at/all", "/tmp");
    REQUIRE(probes.size() == 1);
    CHECK(probes[0].error == ENOENT);
    CHECK(nearest_existing("/tmp/nowhere/at/all") == "/tmp");
    CHECK(nearest_existing("/nowhere") == "/");
    CHECK(file_system_name(0xEF53L) == "ext4");
    CHECK(file_system_name(0x1234L) == "0x1234");
    CHECK(is_remote("nfs"));
    CHECK_FALSE(is_remote("ext4"));
    CHECK(is_in_memory("tmpfs"));
}

TEST_CASE("limits are read as proc shows them", "[cli][doctor]") {
    const auto limits =
        limits_in("the hub",
                  "Limit                     Soft Limit           Hard Limit           Units     \n"
                  "Max file size             unlimited            unlimited            bytes     \n"
                  "Max processes             96228                96229                processes \n"
                  "Max open files            1024                 524288               files     \n");
    CHECK(limits.whose == "the hub");
    CHECK(limits.descriptors_hard == 524288);
    CHECK(limits.processes_soft == 96228);
    CHECK(limits.file_size_soft == kUnlimited);
}

TEST_CASE("limits that are too low are told with what to type", "[cli][doctor]") {
    CHECK(all_fine(judge({{"this shell", 65536, 30000, kUnlimited}}, {.threads_of_uid = 100})));
    const auto few = only(judge({{"this shell", 256}}, {}));
    CHECK(few.level == Level::problem);
    CHECK_THAT(few.what, Contains("this shell may have 256 descriptors"));
    CHECK_THAT(few.advice, Contains("ulimit -Hn") && Contains("about 32 processes"));

    const LimitFacts tight{"this shell", 65536, 120, kUnlimited};
    CHECK_THAT(only(judge({tight}, {.threads_of_uid = 100})).what,
               Contains("120 processes") && Contains("you have 100"));
    CHECK(all_fine(judge({tight}, {.threads_of_uid = 100, .is_privileged = true})));

    CHECK_THAT(only(judge({{"the hub", 65536, kUnlimited, 1 << 20}}, {})).advice, Contains("ulimit -f"));
    const auto unlocked = only(judge({}, SharedLimitFacts{.mlock_error = ENOMEM}));
    CHECK(unlocked.level == Level::note);
    CHECK_THAT(unlocked.advice, Contains("ulimit -l"));
    CHECK_THAT(only(judge({}, SharedLimitFacts{.live_processes = 1000, .pipe_pages_soft = 16384})).advice,
               Contains("sysctl fs.pipe-user-pages-soft=64000"));
    CHECK(all_fine(judge({}, SharedLimitFacts{.live_processes = 10, .pipe_pages_soft = 16384})));
}

TEST_CASE("a group of cgroups v2 is found with its limits, and those above it", "[cli][doctor]") {
    const Root root;
    root.write("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n");
    root.write("/proc/77/cgroup", "0::/user.slice/job\n");
    root.write("/sys/fs/cgroup/user.slice/job/cgroup.controllers", "cpu memory pids\n");
    root.write("/sys/fs/cgroup/user.slice/job/cgroup.procs", "");
    root.write("/sys/fs/cgroup/user.slice/job/memory.max", "max\n");
    root.write("/sys/fs/cgroup/user.slice/memory.max", "1073741824\n");
    root.write("/sys/fs/cgroup/user.slice/memory.current", "1000000000\n");
    root.write("/sys/fs/cgroup/user.slice/job/pids.max", "5000\n");
    root.write("/sys/fs/cgroup/user.slice/job/pids.current", "10\n");
    const auto facts = cgroup_facts(root.path(), "77");
    CHECK(facts.kind == CgroupFacts::Kind::v2);
    CHECK(facts.path == "/user.slice/job");
    CHECK(facts.controllers == "cpu memory pids");
    REQUIRE(facts.limits.size() == 2);
    const auto findings = judge(facts, "processes of pp");
    REQUIRE(findings.size() == 3);
    CHECK_THAT(only_problem(findings).what, Contains("953 of 1024 MiB memory") && Contains("/user.slice"));
    CHECK_THAT(only_problem(findings).advice, Contains("memory.max"));
    CHECK(findings[1].level == Level::note);
    CHECK_THAT(findings[1].what, Contains("10 of 5000 processes"));
}

TEST_CASE("cgroups v1 and both together are told apart, and a huge limit is none", "[cli][doctor]") {
    const Root root;
    root.write("/proc/self/mountinfo",
               "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
               "32 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    root.write("/proc/self/cgroup", "4:memory:/a\n3:cpu,cpuacct:/b\n0::/c\n");
    root.write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
    const auto facts = cgroup_facts(root.path(), "self");
    CHECK(facts.kind == CgroupFacts::Kind::hybrid);
    CHECK(facts.path == "/a");
    CHECK(facts.limits.empty());
    CHECK(all_fine(judge(facts, "this shell")));
    CHECK(judge(cgroup_facts("/nowhere", "self"), "this shell").front().level == Level::note);
}

TEST_CASE("logind's settings in force are those of the last drop-in, the nearest place first",
          "[cli][doctor]") {
    const Root root;
    root.write("/run/systemd/system/x", "");
    root.write("/usr/lib/systemd/logind.conf", "[Login]\nKillUserProcesses=yes\n");
    CHECK(login_facts(root.path(), "ann", "").kills_user_processes);
    root.write("/etc/systemd/logind.conf", "[Login]\n#KillUserProcesses=yes\n");
    CHECK_FALSE(login_facts(root.path(), "ann", "").kills_user_processes);
    root.write("/usr/lib/systemd/logind.conf.d/50-kill.conf",
               "[Other]\nKillUserProcesses=no\n[Login]\n KillUserProcesses = true\n");
    CHECK(login_facts(root.path(), "ann", "").kills_user_processes);
    root.write("/etc/systemd/logind.conf.d/50-kill.conf", "[Login]\nKillExcludeUsers=root ann\n");
    const auto facts = login_facts(root.path(), "ann", "");
    CHECK_FALSE(facts.kills_user_processes);
    CHECK(facts.kill_exclude_users == "root ann");
    CHECK_FALSE(facts.lingers);
    root.write("/var/lib/systemd/linger/ann", "");
    CHECK(login_facts(root.path(), "ann", "").lingers);
}

TEST_CASE("a logout that would end what pp runs is a problem, others are not", "[cli][doctor]") {
    LoginFacts facts;
    facts.has_manager = true;
    facts.kills_user_processes = true;
    facts.user = "ann";
    facts.group = "/user.slice/user-1000.slice/session-3.scope";
    const auto killed = only(judge(facts));
    CHECK(killed.level == Level::problem);
    CHECK_THAT(killed.advice,
               Contains("loginctl enable-linger") && Contains("systemd-run --user --scope pp hub start"));

    auto excluded = facts;
    excluded.kill_exclude_users = "root ann";
    CHECK(all_fine(judge(excluded)));
    auto others = facts;
    others.kill_only_users = "bob";
    CHECK(all_fine(judge(others)));
    auto service = facts;
    service.group = "/system.slice/ssh.service";
    CHECK(only(judge(service)).level == Level::note);
    auto manager = facts;
    manager.group = "/user.slice/user-1000.slice/user@1000.service/app.slice/pp.scope";
    CHECK(only(judge(manager)).advice == "loginctl enable-linger");
    manager.lingers = true;
    CHECK(only(judge(manager)).level == Level::note);
    facts.has_manager = false;
    CHECK(all_fine(judge(facts)));
}

TEST_CASE("a run directory that is another's, open, a link, or wiped is told with what to do",
          "[cli][doctor]") {
    RunDirectoryFacts facts;
    facts.path = "/tmp/pp-1000";
    CHECK(all_fine(judge(facts)));
    facts.kind = RunDirectoryFacts::Kind::directory;
    CHECK(all_fine(judge(facts)));
    auto open = facts;
    open.mode = 0755;
    CHECK(only(judge(open)).advice == "chmod 700 /tmp/pp-1000");
    auto foreign = facts;
    foreign.owner = 7;
    CHECK_THAT(only(judge(foreign)).advice, Contains("PP_HOME"));
    auto link = facts;
    link.kind = RunDirectoryFacts::Kind::other;
    CHECK_THAT(only(judge(link)).what, Contains("symlink"));
    auto wiped = facts;
    wiped.kind = RunDirectoryFacts::Kind::missing;
    wiped.any_program = true;
    wiped.hub_without_files = 4711;
    wiped.keeper_without_files = 4712;
    wiped.pages_gone = {{3, 4713}, {5, 0}};
    const auto findings = judge(wiped);
    REQUIRE(findings.size() == 4);
    CHECK_THAT(findings[0].what, Contains("was removed while pp runs"));
    CHECK_THAT(findings[1].advice, Contains("kill 4711"));
    CHECK_THAT(findings[3].what, Contains("p3 (shim 4713), p5"));
    auto deaf = facts;
    deaf.sockets_gone = {{3, 4713}};
    CHECK_THAT(only_problem(judge(deaf)).advice, Contains("kill -KILL"));
}

TEST_CASE("files that would be taken away for their age are told unless somebody holds the lock",
          "[cli][doctor]") {
    RunDirectoryFacts facts;
    facts.path = "/tmp/pp-1000";
    facts.kind = RunDirectoryFacts::Kind::directory;
    facts.any_program = true;
    facts.ageing = "/tmp of 10d (/usr/lib/tmpfiles.d/tmp.conf)";
    CHECK_THAT(only(judge(facts)).what, Contains("/tmp of 10d"));
    facts.is_held = true;
    CHECK(all_fine(judge(facts)));
}

TEST_CASE("ageing is that of the nearest directory that tmpfiles knows", "[cli][doctor]") {
    const Root root;
    CHECK(ageing_of(root.path(), "/tmp/pp-1").empty());
    root.write("/usr/lib/tmpfiles.d/tmp.conf", "# x\nq /tmp 1777 root root 10d\n");
    CHECK_THAT(ageing_of(root.path(), "/tmp/pp-1"), Contains("/tmp of 10d"));
    CHECK(ageing_of(root.path(), "/var/pp-1").empty());
    CHECK(ageing_of(root.path(), "/tmpfoo").empty());
    root.write("/etc/tmpfiles.d/pp.conf", "d /tmp/pp-1 0700 ann ann -\n");
    CHECK(ageing_of(root.path(), "/tmp/pp-1").empty());
    root.write("/etc/tmpfiles.d/tmp.conf", "D /tmp 1777 root root -\n");
    CHECK(ageing_of(root.path(), "/tmp/pp-2").empty());
}

TEST_CASE("a flock is known in the kernel's list by its inode", "[cli][doctor]") {
    const std::string locks =
        "1: POSIX  ADVISORY  WRITE 12 fe:00:100 0 EOF\n"
        "2: FLOCK  ADVISORY  READ 13 fe:00:101 0 EOF\n"
        "2: -> FLOCK  ADVISORY  WRITE 14 fe:00:102 0 EOF\n";
    CHECK(has_flock(locks, 101));
    CHECK_FALSE(has_flock(locks, 100));
    CHECK_FALSE(has_flock(locks, 1));
    CHECK_FALSE(has_flock("", 101));
}

TEST_CASE("a state directory that is full, open or of another is a problem", "[cli][doctor]") {
    StateDirectoryFacts facts;
    facts.path = "/home/ann/.local/state/pp";
    facts.exists = true;
    facts.file_system = "ext4";
    facts.free_bytes = 100ull << 30;
    facts.free_inodes = UINT64_MAX;
    CHECK(all_fine(judge(facts)));
    auto full = facts;
    full.free_bytes = 10 << 20;
    CHECK_THAT(only(judge(full)).what, Contains("10 MiB of room"));
    CHECK(only(judge(full)).level == Level::problem);
    full.free_bytes = 500 << 20;
    CHECK(only(judge(full)).level == Level::note);
    auto crowded = facts;
    crowded.free_inodes = 3;
    CHECK_THAT(only(judge(crowded)).what, Contains("room for 3 more files"));
    auto open = facts;
    open.mode = 0750;
    CHECK_THAT(only(judge(open)).advice, Contains("chmod 700"));
    auto memory = facts;
    memory.file_system = "tmpfs";
    CHECK_THAT(only(judge(memory)).advice, Contains("reboot"));
    auto served = facts;
    served.file_system = "nfs";
    CHECK(only(judge(served)).level == Level::note);
}

TEST_CASE("a token that others can read is a problem", "[cli][doctor]") {
    TokenFacts facts{"/x/token", true, 5, 5, 0600, 65};
    CHECK(all_fine(judge(facts)));
    facts.mode = 0640;
    CHECK_THAT(only(judge(facts)).advice, Contains("rm /x/token") && Contains("pp hub restart"));
    facts.mode = 0600;
    facts.size = 3;
    CHECK(only(judge(facts)).level == Level::problem);
    facts.exists = false;
    CHECK(all_fine(judge(facts)));
}

TEST_CASE("programs of several versions, and builds that were replaced, are told", "[cli][doctor]") {
    const std::vector<Installed> installed{{"pp-hub", "/x/pp-hub", "pp-hub 0.2.0", ""},
                                           {"pp-shim", "/x/pp-shim", "pp-shim 0.2.0", ""}};
    CHECK(all_fine(judge("0.2.0", installed, {running("pp-hub", 12)}, "0.2.0")));
    auto mixed = installed;
    mixed[1].version = "pp-shim 0.1.0";
    CHECK_THAT(only(judge("0.2.0", mixed, {}, "")).what, Contains("/x/pp-shim is 'pp-shim 0.1.0'"));
    auto broken = installed;
    broken[0] = {"pp-hub", "/x/pp-hub", "", "execute /x/pp-hub: No such file or directory"};
    CHECK_THAT(only(judge("0.2.0", broken, {}, "")).what, Contains("pp-hub cannot be executed"));
    CHECK_THAT(only(judge("0.2.0", installed, {}, "0.1.0")).advice, Contains("pp hub restart"));

    auto hub = running("pp-hub", 12);
    hub.build = RunningProgram::Build::replaced;
    CHECK_THAT(only(judge("0.2.0", installed, {hub}, "")).advice, Contains("pp hub restart"));
    auto shim = running("pp-shim", 13, 3);
    shim.build = RunningProgram::Build::replaced;
    const auto old = only(judge("0.2.0", installed, {hub, shim, shim}, ""));
    CHECK_THAT(old.what, Contains("the hub, 2 shims") && Contains("the shim of p3 (pid 13)"));
    CHECK_THAT(old.advice, Contains("pp hub upgrade"));
    CHECK(process_of_shim("/x/pp-shim 12 --takeover") == 12);
    CHECK(process_of_shim("/x/pp-shim 12") == 12);
    CHECK(process_of_shim("/x/pp-shim") == 0);
    CHECK(process_of_shim("/x/pp-shim 12x") == 0);
}

TEST_CASE("a port is the hub's, free, or somebody's who is named", "[cli][doctor]") {
    PortFacts facts;
    CHECK(all_fine(judge(facts)));
    facts.port = 8947;
    CHECK(all_fine(judge(facts)));
    auto taken = facts;
    taken.is_free = false;
    taken.holder = "python3 (pid 9)";
    CHECK_THAT(only(judge(taken)).what, Contains("8947 is taken by python3 (pid 9)"));
    CHECK_THAT(only(judge(taken)).advice, Contains("PP_PORT"));
    auto refused = facts;
    refused.hub_answers = true;
    refused.hub_problem = "port 8947 is taken by x";
    CHECK_THAT(only(judge(refused)).what, Contains("taken by x"));
    refused.hub_port = 8947;
    CHECK(all_fine(judge(refused)));
    const auto settings = settings_in("port 0\nproblem a: b\nproblem c\n");
    CHECK(settings.port == 0);
    CHECK(settings.problems == std::vector<std::string>{"a: b", "c"});
}

TEST_CASE("hub and keeper that are silent, stopped, many or missing are told", "[cli][doctor]") {
    Survey none;
    CHECK(all_fine(judge_hub(none)));
    CHECK(judge_keeper(none).empty());

    Survey silent;
    silent.programs = {running("pp-hub", 12)};
    silent.hub = Survey::Hub::silent;
    CHECK_THAT(only(judge_hub(silent)).advice, Contains("kill -KILL"));
    silent.programs[0].state = 'T';
    CHECK(only(judge_hub(silent)).advice == "kill -CONT 12");
    silent.programs.push_back(running("pp-hub", 13));
    CHECK_THAT(judge_hub(silent).front().what, Contains("several hubs") && Contains("12, 13"));

    Survey working;
    working.programs = {running("pp-hub", 12), running("pp-keeper", 14), running("pp-shim", 15)};
    working.hub = Survey::Hub::answers;
    working.keeper_lock_held = working.keeper_listens = true;
    working.hub_status = {{"pid", 12}, {"processes", 1}, {"shims", 1}, {"history_problem", nullptr}};
    CHECK(all_fine(judge_hub(working)));
    CHECK(all_fine(judge_keeper(working)));
    working.hub_status["history_problem"] = "history: step: database or disk is full";
    CHECK_THAT(only_problem(judge_hub(working)).what, Contains("disk is full"));
    working.hub_status["history_problem"] = "the history was damaged; it was moved to /x";
    CHECK(judge_hub(working).back().level == Level::note);

    auto deaf = working;
    deaf.keeper_listens = false;
    CHECK_THAT(only(judge_keeper(deaf)).what, Contains("cannot be connected to"));
    auto stopped = working;
    stopped.programs[1].state = 'T';
    CHECK(only(judge_keeper(stopped)).advice == "kill -CONT 14");
    auto orphaned = working;
    orphaned.programs.erase(orphaned.programs.begin() + 1);
    CHECK_THAT(only(judge_keeper(orphaned)).what, Contains("shims live without a keeper"));
}

TEST_CASE("a pp that was started in a sandbox, or lives in another pid namespace, is told", "[cli][doctor]") {
    SandboxFacts facts;
    facts.hub_answers = true;
    CHECK(all_fine(judge(facts)));
    auto ours = facts;
    ours.ours = "a seccomp filter";
    CHECK(only(judge(ours)).level == Level::note);
    ours.hubs = "no_new_privs";
    CHECK_THAT(only(judge(ours)).what, Contains("no_new_privs"));
    CHECK(only(judge(ours)).level == Level::problem);
    auto foreign = facts;
    foreign.is_foreign_proc = true;
    CHECK_THAT(only(judge(foreign)).what, Contains("another pid namespace"));
    auto unseen = facts;
    unseen.is_unseen_keeper = true;
    CHECK_THAT(only(judge(unseen)).advice, Contains("PP_HOME"));
    facts.hub_answers = false;
    facts.any_program = true;
    CHECK_THAT(only(judge(facts)).what, Contains("?"));

    const std::string first = "Name:\tinit\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n";
    CHECK(confinement(first, first).empty());
    CHECK(confinement("Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n", first) ==
          "a seccomp filter, no_new_privs");
    CHECK(confinement("Name:\tx\nNoNewPrivs:\t0\nSeccomp:\t2\n", "") == "a seccomp filter");
}

TEST_CASE("of a process that is damaged, alone, out of reach or not captured it is told what to do",
          "[cli][doctor]") {
    ProcessFacts well;
    well.number = 3;
    well.name = "web";
    well.is_live = well.has_shim = true;
    well.main_pid = 99;
    CHECK(judge(well).empty());

    auto page = well;
    page.damage = "state page has no whole lifecycle";
    page.is_page_damaged = true;
    CHECK_THAT(only(judge(page)).advice, Contains("pp stop p3, pp clear p3"));
    auto launch = well;
    launch.is_live = launch.has_shim = false;
    launch.damage = "launch file is missing";
    CHECK_THAT(only(judge(launch)).advice, Contains("pp clear p3"));
    auto ring = well;
    ring.ring_damage = "ring has no whole superblock";
    CHECK_THAT(only(judge(ring)).what, Contains("web (p3): ring has no whole superblock"));
    auto events = well;
    events.events_damage = "2 of its events cannot be read";
    CHECK(only(judge(events)).level == Level::note);

    auto alone = well;
    alone.has_shim = false;
    alone.shim_log = "/x/shim.log";
    CHECK_THAT(only(judge(alone)).what, Contains("runs without a shim"));
    CHECK_THAT(only(judge(alone)).advice, Contains("/x/shim.log") && Contains("pp hub restart"));
    alone.is_readable = false;
    CHECK_THAT(only(judge(alone)).what, Contains("cannot be reached"));
    alone.main_pid = 0;
    CHECK_THAT(only(judge(alone)).what, Contains("nobody has recorded how"));
    auto stopped = well;
    stopped.is_shim_stopped = true;
    stopped.shim_pid = 55;
    CHECK(only(judge(stopped)).advice == "kill -CONT 55");

    auto full = well;
    full.capture_error = ENOSPC;
    full.dropped_bytes = 77;
    CHECK_THAT(only(judge(full)).what, Contains("No space left") && Contains("77 bytes"));
    auto fallback = well;
    fallback.is_captured_by_read = true;
    CHECK(only(judge(fallback)).level == Level::note);
    auto survivors = well;
    survivors.survivors = 2;
    CHECK_THAT(only(judge(survivors)).what, Contains("could not be killed"));
    auto clock = well;
    clock.clock_went_back = true;
    CHECK(only(judge(clock)).area == "clock");
}

TEST_CASE("files that belong to nothing are told, and who takes them away", "[cli][doctor]") {
    CHECK(judge(StrayFacts{}).empty());
    StrayFacts facts;
    facts.of_nobody = {"/r/p1.state", "/r/p2.state", "/r/p3.state", "/r/p4.sock"};
    CHECK_THAT(only(judge(facts)).what, Contains("/r/p3.state and 1 more"));
    CHECK_THAT(only(judge(facts)).advice, Contains("the next hub"));
    facts.hub_runs = true;
    CHECK_THAT(only(judge(facts)).advice, Contains("pp hub restart"));
    StrayFacts history;
    history.is_history_foreign = true;
    history.history = "/s/history.db";
    CHECK_THAT(only(judge(history)).advice, Contains("pp hub restart moves it aside"));
    StrayFacts aside;
    aside.put_aside = {"/s/history.db.damaged-1"};
    CHECK(only(judge(aside)).level == Level::note);
}
