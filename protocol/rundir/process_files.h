#pragma once

#include <optional>
#include <string>

#include "protocol/ring/reader.h"
#include "protocol/ring/state_page.h"
#include "protocol/rundir/given_up.h"
#include "protocol/rundir/home.h"
#include "protocol/rundir/launch.h"

namespace pp::rundir {

/// All that a process's files say, each part read for itself: a damaged one is told and leaves the others usable.
struct ProcessFiles {
    ProcessNumber number = 0;
    std::optional<Launch> launch;
    std::optional<ring::StateSnapshot> state;  ///< of the state page; of another boot too (`this_boot` tells)
    std::optional<ring::Lifecycle> final_record;  ///< of `exit`: the newest run, once it has ended
    bool held = false;   ///< somebody holds the process's lock: a shim lives
    std::string damage;  ///< empty, or what is wrong with which file, for a person
    std::string log_damage;  ///< empty, or what is wrong with its log; the process itself is not touched by that
    std::string page_damage;  ///< the part of it that is about the state page: whether the process runs is then not known

    std::optional<ring::Lifecycle> remembered;  ///< the newest run as its events tell it, where there is no page (it was in run/)
    std::optional<GivenUp> given_up;            ///< no shim lives, and the keeper starts none until somebody asks
    bool main_is_gone = false;  ///< of a run whose end nobody has recorded: seen in /proc while no shim lived

    /// The newest run as known: the page's if it is of this boot; else the final record; else what the events tell, or the old
    /// page, whose run, if it had not ended, is of unknown outcome. Nothing is known while a shim lives on a damaged page.
    [[nodiscard]] ring::Lifecycle lifecycle() const;
    /// Its end has not been recorded, and no shim looks after it.
    [[nodiscard]] bool is_unattended() const;
};

ProcessFiles read_process_files(const Home& home, ProcessNumber number);

/// Whether the main process of this run is there still: its pid, and its start time where that is known.
bool main_lives(const ring::Lifecycle& lifecycle);

ring::Reader::Paths ring_paths(const Home& home, ProcessNumber number);

/// The file `exit`: the newest run's record, by rename and fsynced.
void write_final_record(const Home& home, ProcessNumber number, const ring::Lifecycle& lifecycle);

}  // namespace pp::rundir
