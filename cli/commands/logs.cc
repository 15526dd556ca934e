#include <unistd.h>

#include <algorithm>
#include <memory>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/follow/follower.h"
#include "cli/output/log_printer.h"
#include "cli/output/print.h"
#include "cli/output/sink.h"
#include "cli/target.h"
#include "cli/time_input.h"
#include "protocol/ring/query.h"
#include "protocol/ring/reader.h"

namespace pp::cli {
namespace {

struct LogsOptions {
    std::string process;
    bool follow = false;
    std::optional<std::uint64_t> lines;
    std::optional<std::int64_t> since_ns;
    std::optional<std::int64_t> before_ns;
    std::optional<std::int64_t> run;
    std::optional<std::uint64_t> cursor;
    ring::StreamChoice stream = ring::StreamChoice::combined;
    std::optional<ring::LinePattern> filter;
    bool plain = false;
    bool json = false;
};

/// As they stand on the command line.
struct LogsWords {
    std::optional<std::string> process, lines, since, before, run, stream, grep, cursor;
    bool follow = false, raw = false, plain = false, json = false;
};

LogsWords read_words(const Words& words) {
    LogsWords given;
    Arguments arguments{"logs", "Show the log of a process: of its newest run, all that is kept."};
    arguments.positional("NAME", given.process, "the process");
    arguments.flag("-f,--follow", given.follow, "go on until it ends, over restarts");
    arguments.option("-n,--lines", given.lines, "N", "only the last N lines");
    arguments.option("--since", given.since, "TIME", "from then on: ISO 8601, or 5m for five minutes ago");
    arguments.option("--before", given.before, "TIME", "only what came before");
    arguments.option("--run", given.run, "N", "of that run; -1 is the newest, -2 the one before");
    arguments.option("--stream", given.stream, "WHICH", "combined, stdout or stderr (combined)");
    arguments.option("--grep", given.grep, "REGEX", "only lines that match (RE2)");
    arguments.option("--cursor", given.cursor, "N", "from this cursor on, over all runs");
    arguments.flag("--raw", given.raw,
                   "the bytes as they were written; without it, if stdout is no terminal");
    arguments.flag("--plain", given.plain, "without control sequences; without it, if stdout is a terminal");
    arguments.flag("--json", given.json, "one object per line: cursor, time, stream, run, text");
    arguments.parse(words);
    return given;
}

ring::LinePattern parse_pattern(const std::string& what, const std::string& text) {
    try {
        return ring::LinePattern{text};
    } catch (const ring::BadPattern& bad) {
        throw Failure{Exit::usage, what + " is '" + printable(text) + "', which " + bad.what()};
    }
}

LogsOptions parse(const Words& words) {
    const auto given = read_words(words);
    if (!given.process) throw Failure{Exit::usage, "there is no process named; such as: pp logs web"};
    if (given.raw && given.plain) throw Failure{Exit::usage, "--raw and --plain exclude each other"};
    if (given.cursor && given.since) throw Failure{Exit::usage, "--cursor and --since exclude each other"};
    if (given.follow && given.before) throw Failure{Exit::usage, "--follow and --before exclude each other"};
    const auto now = wall_clock_ns();
    LogsOptions options;
    options.process = *given.process;
    options.follow = given.follow;
    options.json = given.json;
    options.plain = given.plain || (!given.raw && (given.json || ::isatty(STDOUT_FILENO) == 1));
    if (given.lines) options.lines = static_cast<std::uint64_t>(parse_number("--lines", *given.lines, 0));
    if (given.since) options.since_ns = parse_time("--since", *given.since, now);
    if (given.before) options.before_ns = parse_time("--before", *given.before, now);
    if (given.run) options.run = parse_number("--run", *given.run, INT32_MIN);
    if (given.cursor) options.cursor = static_cast<std::uint64_t>(parse_number("--cursor", *given.cursor, 0));
    if (given.grep) options.filter = parse_pattern("--grep", *given.grep);
    if (given.stream) {
        const auto stream = ring::find_stream_choice(*given.stream);
        if (!stream)
            throw Failure{Exit::usage,
                          "--stream is '" + *given.stream + "'; it must be combined, stdout or stderr"};
        options.stream = *stream;
    }
    return options;
}

/// What of the log is shown before following begins.
struct Stretch {
    ring::Selection selection;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool newest = true;
    std::uint64_t lost = 0;  ///< bytes before `begin` that were wanted too, and that nobody has any more
};

/// Only the last so many lines of it, or as many as there are.
void shorten(ring::Reader& reader, Stretch& stretch, std::uint64_t lines) {
    const auto start = ring::find_line_start(reader, stretch.selection, stretch.begin, stretch.end, lines);
    if (!start.reached) stretch.lost = ring::measure(reader, stretch.selection, stretch.begin, start.cursor).lost;
    stretch.begin = start.cursor;
}

Stretch choose(ring::Reader& reader, const LogsOptions& options) {
    Stretch stretch;
    stretch.selection.stream = options.stream;
    if (!options.cursor || options.run) {
        const auto found = ring::find_run(reader, options.run.value_or(-1), options.stream);
        if (found.run != 0) stretch.selection.run = found.run;
        stretch.begin = found.begin;
        stretch.end = found.end;
        stretch.newest = found.newest;
    }
    const auto tail = reader.refresh().tail;
    if (options.cursor) {
        stretch.begin = std::max(stretch.begin, std::min(*options.cursor, tail));
        if (!options.run) stretch.end = tail;
    }
    if (stretch.newest) stretch.end = tail;
    if (options.since_ns) stretch.begin = std::max(stretch.begin, reader.cursor_at_time(*options.since_ns));
    if (options.before_ns) stretch.end = std::min(stretch.end, reader.cursor_at_time(*options.before_ns));
    stretch.end = std::max(stretch.end, stretch.begin);
    if (options.lines && !options.filter)  // which lines match is known only after reading all
        shorten(reader, stretch, *options.lines);
    return stretch;
}

void show(ring::Reader& reader, const Stretch& stretch, LogPrinter& printer) {
    printer.lose(stretch.lost);
    ring::Tail tail{reader, stretch.selection, stretch.begin, stretch.end};
    while (const auto piece = tail.next()) printer.feed(*piece);
    printer.release();
}

/// Shows what comes, until nothing can come any more or nobody reads.
void follow(const Context& context, const rundir::ProcessFiles& files, const Stretch& stretch,
            LogPrinter& printer) {
    os::Loop loop;
    std::unique_ptr<Follower> follower;
    bool over = false;
    const auto finish = [&] {
        over = true;
        loop.stop();
    };
    std::unique_ptr<Sink> out;
    const auto on_room = [&] { over ? loop.stop() : follower->look(); };
    out = std::make_unique<Sink>(loop, STDOUT_FILENO, Sink::Owner{on_room, finish});
    printer.set_write([&](std::string_view text) { out->put(text); });

    Follower::Start start;
    start.process = files.number;
    start.selection.stream = stretch.selection.stream;
    start.cursor = stretch.end;
    start.run = stretch.selection.run.value_or(0);
    start.until = FollowUntil::log_ends;
    const auto on_end = [&](const ring::Lifecycle&) {
        printer.finish();
        over = true;
        if (!out->busy()) loop.stop();
    };
    follower = std::make_unique<Follower>(
        loop, context.home, start,
        Follower::Owner{
            .has_room = [&] { return !over && !out->busy(); },
            .on_piece = [&](const ring::Piece& piece) { printer.feed(piece); },
            .on_restart =
                [](const ring::Lifecycle& life) { say("restarted (run " + std::to_string(life.run) + ")"); },
            .on_idle = [&] { printer.flush(); },
            .on_run_end = {},
            .on_end = on_end});
    follower->look();
    loop.run();
}

/// What it tells is what was there at the last checkpoint.
std::string why_unverified(const rundir::ProcessFiles& files) {
    if (!files.page_damage.empty()) return files.page_damage + "; shown is what its file had at the last checkpoint";
    if (files.held) return "its files in the run directory are gone; 'pp hub start' brings them back";
    return "the machine was restarted since";
}

int logs(const Context& context, const LogsOptions& options) {
    const auto files =
        options.follow ? find_watched_target(context, options.process) : find_target(context, options.process);
    auto paths = rundir::ring_paths(context.home, files.number);
    if (!files.page_damage.empty()) paths.state.clear();  // the log's own file tells, too
    auto reader = ring::Reader::find(paths);
    if (!reader) throw Failure{Exit::failed, spoken_name(files) + " has no log yet"};
    if (reader->unverified()) say("the log of " + spoken_name(files) + " is unverified: " + why_unverified(files));
    const bool of_newest = !options.run && !options.cursor;  // earlier runs may have been started otherwise
    if (options.stream != ring::StreamChoice::combined && of_newest && files.launch &&
        files.launch->streams == "merged")
        throw Failure{Exit::usage, spoken_name(files) +
                                       " has its stdout and stderr in one pipe (merged): only "
                                       "--stream combined can be shown"};
    const auto stretch = choose(*reader, options);
    LogPrinter printer{{.plain = options.plain,
                        .json = options.json,
                        .filter = options.filter ? &*options.filter : nullptr,
                        .last_lines = options.filter ? options.lines : std::nullopt},
                       print};
    show(*reader, stretch, printer);
    const bool may_grow = files.state && files.state->this_boot && stretch.newest;
    if (options.follow && may_grow)
        follow(context, files, stretch, printer);
    else
        printer.finish();
    return code(Exit::done);
}

}  // namespace

int logs_command(const Context& context, const Words& words) {
    const auto options = parse(words);
    try {
        return logs(context, options);
    } catch (const ring::QueryRefused& refused) {
        throw Failure{Exit::usage, refused.what()};
    }
}

}  // namespace pp::cli
