#include "hub/operations/start.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "hub/operations/run_output.h"
#include "hub/process/ensure.h"
#include "hub/process/name.h"
#include "hub/process/program_path.h"
#include "hub/wall_clock.h"
#include "protocol/os/error.h"
#include "protocol/ring/format.h"
#include "protocol/rundir/mark.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kReplaceGrace{5000};
constexpr std::uint64_t kRecentLines = 20;  // of one that runs already

[[noreturn]] void refuse(const std::string& text) {
    throw Refusal(Refusal::Kind::failed, text);
}
[[noreturn]] void refuse_usage(const std::string& text) {
    throw Refusal(Refusal::Kind::usage, text);
}

/// The directory as the kernel names it, so that equal ones are equal.
std::string real_directory(const StartArguments& arguments, const Caller& caller) {
    const std::string& base = caller.directory.empty() ? caller.project : caller.directory;
    std::string path = arguments.working_directory;
    if (path.empty()) path = arguments.project.empty() ? base : arguments.project;
    if (path.empty())
        refuse_usage("working_directory is needed: give the absolute path of the directory to run in");
    if (path.find('\0') != std::string::npos) refuse_usage("working_directory holds a NUL byte");
    if (path[0] != '/') {
        if (base.empty()) refuse_usage("working_directory '" + path + "' is relative; give an absolute path");
        path = base + "/" + path;
    }
    char* real = ::realpath(path.c_str(), nullptr);
    if (real == nullptr)
        refuse("working_directory " + path + ": " + os::error_text(errno) + "; give a directory that exists");
    const std::string found = real;
    std::free(real);
    struct stat status {};
    if (::stat(found.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        refuse("working_directory " + path + " is not a directory");
    return found;
}

/// A process belongs to the caller's project if its directory lies inside it, else to its own directory's.
std::string project_for(const std::string& directory, const std::string& callers) {
    return rundir::lies_inside(directory, callers) ? callers : rundir::project_of(directory);
}

void refuse_missing_program(const PreparedCommand& command, const std::string& directory,
                            const ChosenEnvironment& environment) {
    const std::string& program = command.argv.front();
    const auto found = look_up_program(program, directory, environment.variables);
    switch (found.kind) {
        case ProgramLookup::Kind::found:
            return;
        case ProgramLookup::Kind::is_directory:
            refuse(found.path + " is a directory, not a program");
        case ProgramLookup::Kind::not_executable:
            refuse(found.path + " is not executable; run: chmod +x " + shell_quoted(found.path) +
                   ", or put its interpreter before it");
        case ProgramLookup::Kind::not_found:
            break;
    }
    if (program.find('/') != std::string::npos) refuse("there is no program " + found.path);
    const auto path = environment.variables.find("PATH");
    refuse("program '" + program + "' was not found in the PATH of its environment (from: " +
           environment.source + "): " + (path == environment.variables.end() ? kDefaultPath : path->second));
}

std::string default_label(const std::string& command, const std::string& directory) {
    return command + " in " + directory;
}

/// One start, from its arguments to its answer.
class StartCall : public std::enable_shared_from_this<StartCall> {
  public:
    StartCall(Context& context, StartArguments arguments, Caller caller, OnResult<StartResult> then)
        : context_{context},
          arguments_{std::move(arguments)},
          caller_{std::move(caller)},
          then_{std::move(then)} {}

    void begin() {
        guarded([this] {
            if (arguments_.name) {
                if (const auto complaint = complaint_about_name(*arguments_.name)) refuse_usage(*complaint);
            }
            directory_ = real_directory(arguments_, caller_);
            project_ =
                project_for(directory_, arguments_.project.empty() ? caller_.project : arguments_.project);
            prepare_command(arguments_.command,
                            [] { return true; });  // refuses what is none, before anything else
            choose_environment();
        });
    }

  private:
    template <class Action>
    void guarded(Action action) {
        const auto self = shared_from_this();
        try {
            action();
        } catch (const Refusal& refusal) {
            answer(refusal);
        } catch (const std::exception& error) {
            context_.log.say(std::string{"start: "} + error.what());
            answer(Refusal(Refusal::Kind::failed, error.what()));
        }
    }

    void answer(const std::variant<StartResult, Refusal>& result) {
        if (const auto then = std::exchange(then_, nullptr)) then(result);
    }

    void choose_environment() {
        if (caller_.environment) {
            context_.environments.keep(project_, *caller_.environment);
            return decide({*caller_.environment, "caller"});
        }
        context_.environments.choose(project_, [weak = weak_from_this()](const ChosenEnvironment& chosen) {
            if (const auto self = weak.lock()) self->guarded([&] { self->decide(chosen); });
        });
    }

    /// One step without a pause: what it sees of the table holds until it is done.
    void decide(ChosenEnvironment chosen) {
        environment_ = std::move(chosen);
        rundir::erase_mark(environment_.variables);
        for (const auto& [name, value] : arguments_.environment) environment_.variables[name] = value;
        if (environment_.variables.contains("PWD") && !arguments_.environment.contains("PWD"))
            environment_.variables["PWD"] = directory_;
        command_ = prepare_command(arguments_.command, [this] {
            return look_up_program("bash", directory_, environment_.variables).kind ==
                   ProgramLookup::Kind::found;
        });
        refuse_missing_program(command_, directory_, environment_);
        if (arguments_.mode == "pty" && arguments_.streams == "split")
            refuse_usage("a terminal has one stream: leave streams out, or take mode \"pipe\"");
        look_again_at_doubtful();
        wanted_ = {command_.argv,      directory_,         arguments_.name,       arguments_.label,
                   arguments_.mode,    arguments_.rows,    arguments_.columns,    arguments_.streams,
                   arguments_.stdin_mode, capacity(),      arguments_.environment};
        if (const auto live = find_live()) return meet_live(*live);
        if (const auto finished = find_finished()) return begin_run(*finished, false);
        create();
    }

    /// Nobody tells when the last of what carries a mark has ended.
    void look_again_at_doubtful() {
        for (const auto number : context_.registry.numbers()) {
            if (!context_.registry.doubt(context_.registry.files(number)).empty()) context_.registry.refresh(number);
        }
    }

    [[nodiscard]] std::optional<std::uint64_t> capacity() const {
        if (!arguments_.log_capacity) return std::nullopt;
        if (*arguments_.log_capacity < ring::kMinCapacity || *arguments_.log_capacity > ring::kMaxCapacity)
            refuse_usage("log size must be from 64K to 1G");
        return ring::Geometry::for_capacity(*arguments_.log_capacity).capacity;
    }

    [[nodiscard]] bool runs_the_same(const rundir::ProcessFiles& files) const {
        return files.launch && files.launch->argv == command_.argv &&
               files.launch->working_directory == directory_;
    }

    /// The live process that this start means: by its name, else by command and directory.
    std::optional<std::uint64_t> find_live() {
        if (arguments_.name) {
            const Row* row = context_.registry.table().find_live_name(project_, *arguments_.name);
            return row == nullptr ? std::nullopt : std::optional{row->number};
        }
        std::vector<std::uint64_t> hits;
        for (const auto& [number, row] : context_.registry.table().rows()) {
            if (row.alive && row.directory == directory_ && runs_the_same(context_.registry.files(number)))
                hits.push_back(number);
        }
        if (hits.size() > 1) {
            std::string text;
            for (const auto hit : hits)
                text += (text.empty() ? "" : ", ") + describe(context_.registry.files(hit));
            throw Refusal(Refusal::Kind::ambiguous,
                          "this command runs here several times: " + text + "; give the name");
        }
        return hits.empty() ? std::nullopt : std::optional{hits.front()};
    }

    /// The newest finished one with the same command and directory, and with that name and label if they are
    /// given.
    std::optional<std::uint64_t> find_finished() {
        const auto& rows = context_.registry.table().rows();
        for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
            if (row->second.alive || !runs_the_same(context_.registry.files(row->first))) continue;
            if (!context_.registry.doubt(context_.registry.look(row->first)).empty()) continue;  // no shim could take it up
            if (arguments_.name && row->second.name != *arguments_.name) continue;
            if (arguments_.label && row->second.label != *arguments_.label) continue;
            const Row* namesake =
                context_.registry.table().find_live_name(row->second.project, row->second.name);
            if (namesake == nullptr) return row->first;
        }
        return std::nullopt;
    }

    void meet_live(std::uint64_t process) {
        const auto& files = context_.registry.look(process);
        if (context_.registry.is_beginning(process)) return wait_for_other_start(process);
        refuse_doubtful(context_, files);
        if (arguments_.replace) {
            refuse_own_tree(context_, process, caller_);
            return begin_run(process, true);
        }
        const auto found = files.launch ? differences(wanted_, *files.launch) : std::vector<std::string>{};
        if (found.empty()) {
            result_.already_running = true;
            return wait_for(process);
        }
        std::string text;
        for (const auto& difference : found) text += (text.empty() ? "" : ", ") + difference;
        refuse(describe(files) + " is live already, with another " + text +
               "; stop it first, give another name to run both, or give replace: true (on the command line: --replace)");
    }

    /// Somebody else is just starting it: what comes of that decides.
    void wait_for_other_start(std::uint64_t process) {
        other_start_ = context_.registry.on_change(process, [weak = weak_from_this(), process] {
            const auto self = weak.lock();
            if (!self) return;
            self->context_.loop.defer([weak, process] {
                const auto call = weak.lock();
                if (!call ||
                    (call->context_.registry.knows(process) && call->context_.registry.is_beginning(process)))
                    return;
                call->other_start_ = {};
                call->guarded([&] { call->decide(std::move(call->environment_)); });
            });
        });
    }

    void create() {
        const auto number = context_.ids.next();
        const std::string directory = context_.home.process(number);
        if (::mkdir(directory.c_str(), 0700) != 0) os::throw_errno("mkdir", directory);
        is_new_ = true;
        try {
            begin_run(number, false);
        } catch (...) {  // a full disk: nothing of it stays
            discard(number);
            throw;
        }
    }

    void discard(std::uint64_t process) {
        std::error_code ignored;
        std::filesystem::remove_all(context_.home.process(process), ignored);
        context_.registry.forget(process);
        context_.history.forget(process);
    }

    /// Who the process is, and how large its log, which is of all its runs. The rest is of a run: a start that does
    /// not say it gets the default, and only a restart repeats it.
    rundir::Launch identity_for(std::uint64_t process) {
        rundir::Launch launch;
        launch.process = process;
        if (context_.registry.knows(process) && context_.registry.files(process).launch) {
            const rundir::Launch& before = *context_.registry.files(process).launch;
            refuse_other_log_size(before);
            launch.created_at_ns = before.created_at_ns;
            launch.project = before.project;
            launch.name = before.name;
            launch.log_capacity = before.log_capacity;
            if (before.label != default_label(before.command, before.working_directory)) launch.label = before.label;
            return launch;
        }
        launch.created_at_ns = wall_clock_ns();
        launch.project = project_;
        launch.log_capacity = arguments_.log_capacity.value_or(0);
        launch.name = arguments_.name ? *arguments_.name
                                      : choose_name(command_.text, directory_, [this](const std::string& name) {
                                            return context_.registry.table().find_live_name(project_, name) != nullptr;
                                        });
        return launch;
    }

    void refuse_other_log_size(const rundir::Launch& before) {
        if (!wanted_.log_capacity || log_capacity_of(before) == *wanted_.log_capacity) return;
        refuse(rundir::process_id(before.process) + " keeps " + std::to_string(log_capacity_of(before) >> 10) +
               " KiB of output over all its runs; leave log.size out, or clear it first to have another size");
    }

    rundir::Launch launch_for(std::uint64_t process) {
        rundir::Launch launch = identity_for(process);
        if (launch.label.empty()) launch.label = default_label(command_.text, directory_);
        if (arguments_.label) launch.label = *arguments_.label;
        launch.command = command_.text;
        launch.argv = command_.argv;
        launch.working_directory = directory_;
        launch.owner_kind = caller_.owner_kind;
        launch.owner_client = caller_.client;
        launch.environment = environment_.variables;
        launch.environment_source = environment_.source;
        if (arguments_.mode) launch.mode = *arguments_.mode;
        launch.rows = arguments_.rows.value_or(caller_.rows);
        launch.columns = arguments_.columns.value_or(caller_.columns);
        launch.streams = arguments_.streams.value_or(caller_.streams);
        if (launch.mode == "pty") launch.streams = "merged";
        if (arguments_.stdin_mode) launch.stdin_mode = *arguments_.stdin_mode;
        launch.file_mode_mask = caller_.file_mode_mask;
        launch.limits = caller_.limits.empty() ? context_.default_limits : caller_.limits;
        launch.nice = caller_.nice;
        return launch;
    }

    void begin_run(std::uint64_t process, bool replace) {
        const auto launch = launch_for(process);
        rundir::write_launch(context_.home.launch(process), launch);
        const auto& files = context_.registry.refresh(process);
        context_.history.note_process(launch);
        Fleet::RunOrder order;
        order.run = files.lifecycle().run + 1;
        order.replace = replace;
        order.grace = kReplaceGrace;
        context_.fleet.begin_run(process, order,
                                 [this, keep = keep_until_begun(), process](const std::string& problem) {
                                     guarded([&] { on_begun(process, problem); });
                                 });
    }

    /// The start goes on though its caller has gone: a new process must not be left without a run.
    std::shared_ptr<StartCall> keep_until_begun() { return shared_from_this(); }

    void on_begun(std::uint64_t process, const std::string& problem) {
        const auto& files = context_.registry.refresh(process);
        if (!problem.empty()) {
            if (is_new_ && files.lifecycle().run == 0 && !files.held) discard(process);
            refuse(rundir::process_id(process) + " could not be started: " + problem);
        }
        const auto life = files.lifecycle();
        if (life.exit_kind == ring::ExitKind::not_started)
            refuse(describe(files) + " could not be started: " + command_.argv.front() + ": " +
                   os::error_text(life.exit_value));
        wait_for(process);
    }

    void wait_for(std::uint64_t process) {
        const auto life = context_.registry.look(process).lifecycle();
        result_.begin_cursor = life.start_cursor;
        run_ = life.run;
        wait_ = std::make_shared<RunWait>(context_, process, life.run,
                                          result_.already_running && arguments_.wait == WaitFor::settled
                                              ? WaitFor::none  // it settled long ago
                                              : arguments_.wait,
                                          arguments_.timeout,
                                          [weak = weak_from_this(), process](RunWait::Outcome outcome) {
                                              if (const auto self = weak.lock())
                                                  self->guarded([&] { self->finish(process, outcome); });
                                          });
        wait_->begin();
    }

    void finish(std::uint64_t process, RunWait::Outcome outcome) {
        ring::Query query;
        query.run = run_;
        if (result_.already_running)
            query.lines = kRecentLines;
        else if (arguments_.wait != WaitFor::exit)
            query.cursor = result_.begin_cursor;
        result_.output = read_output(context_.home, process, query);
        result_.output.cursor = std::max(result_.output.cursor, result_.begin_cursor);
        result_.ended = outcome.ended;
        result_.timed_out = outcome.timed_out;
        result_.process = context_.registry.refresh(process);
        answer(result_);
    }

    Context& context_;
    StartArguments arguments_;
    Caller caller_;
    OnResult<StartResult> then_;
    std::string directory_;
    std::string project_;
    ChosenEnvironment environment_;
    PreparedCommand command_;
    Wanted wanted_;
    bool is_new_ = false;
    std::uint32_t run_ = 0;
    std::shared_ptr<RunWait> wait_;
    Subscription other_start_;
    StartResult result_;
};

}  // namespace

Call start(Context& context, StartArguments arguments, const Caller& caller, OnResult<StartResult> then) {
    auto call = std::make_shared<StartCall>(context, std::move(arguments), caller, std::move(then));
    call->begin();
    return call;
}

}  // namespace pp::hub
