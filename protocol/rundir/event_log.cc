#include "protocol/rundir/event_log.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

#include "protocol/os/error.h"
#include "protocol/os/read_file.h"

namespace pp::rundir {
namespace {

constexpr std::uint64_t kBlock = 4096;

off_t offset_of(std::uint64_t number) { return static_cast<off_t>(number % kEventSlots * sizeof(Event)); }

bool whole(const Event& event) {
    return event.number != 0 && ring::checksum(&event, offsetof(Event, checksum)) == event.checksum;
}

}  // namespace

EventLog::EventLog(const std::string& path)
    : fd_{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)} {
    if (!fd_) os::throw_errno("open", path);
}

void EventLog::append(const ring::StatePage& page, Event& event) {
    event.number = page->next_event.load(std::memory_order_relaxed);
    event.text[sizeof event.text - 1] = '\0';
    event.checksum = ring::checksum(&event, offsetof(Event, checksum));
    take_room(event.number);
    if (!store_refused() || !store(event)) refused_[event.number] = event;
    if (refused_.size() > kEventSlots) refused_.erase(refused_.begin());  // as in the file
    page->next_event.store(event.number + 1, std::memory_order_release);
    page.wake();
}

bool EventLog::store(const Event& event) const {
    return ::pwrite(fd_.get(), &event, sizeof event, offset_of(event.number)) == static_cast<ssize_t>(sizeof event);
}

/// One block ahead of the one that is written. A file system that cannot allocate is written to all the same.
void EventLog::take_room(std::uint64_t number) {
    const auto end = static_cast<std::uint64_t>(offset_of(number)) + sizeof(Event);
    const auto wanted = std::min<std::uint64_t>((end / kBlock + 2) * kBlock, kEventSlots * sizeof(Event));
    if (end + kBlock <= room_until_ || wanted <= room_until_) return;
    if (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(wanted)) == 0) room_until_ = wanted;
}

bool EventLog::store_refused() {
    while (!refused_.empty() && store(refused_.begin()->second)) refused_.erase(refused_.begin());
    return refused_.empty();
}

std::uint64_t EventLog::next_number_on_disk() const {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0 || status.st_size == 0) return 1;
    std::vector<Event> slots(static_cast<std::size_t>(std::min<off_t>(status.st_size, kEventSlots * sizeof(Event))) /
                             sizeof(Event));
    const ssize_t got = ::pread(fd_.get(), slots.data(), slots.size() * sizeof(Event), 0);
    if (got > 0) slots.resize(static_cast<std::size_t>(got) / sizeof(Event));
    std::uint64_t next = 1;
    for (const Event& event : slots) {
        if (whole(event)) next = std::max(next, event.number + 1);
    }
    return next;
}

std::optional<Event> EventLog::find(std::uint64_t number) const {
    if (const auto kept = refused_.find(number); kept != refused_.end()) return kept->second;
    Event event;
    if (::pread(fd_.get(), &event, sizeof event, offset_of(number)) != static_cast<ssize_t>(sizeof event))
        return std::nullopt;
    if (!whole(event) || event.number != number) return std::nullopt;
    return event;
}

std::vector<Event> read_events(const std::string& path, std::uint64_t from) {
    std::vector<Event> found;
    const auto content = os::find_file_content(path);
    if (!content) return found;
    for (std::size_t at = 0; at + sizeof(Event) <= content->size(); at += sizeof(Event)) {
        Event event;
        content->copy(reinterpret_cast<char*>(&event), sizeof event, at);
        if (whole(event) && event.number >= from) found.push_back(event);
    }
    std::sort(found.begin(), found.end(), [](const Event& a, const Event& b) { return a.number < b.number; });
    return found;
}

}  // namespace pp::rundir
