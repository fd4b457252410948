#include "lockdep/runtime/site_census.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {

uint64_t SiteCensus::NumberOf(const Site& site) {
  const auto [known, added] = file_numbers_.try_emplace(site.file, static_cast<uint32_t>(files_.size()));
  if (added) files_.push_back(site.file);
  return (static_cast<uint64_t>(known->second) << 32) | static_cast<uint32_t>(site.line);
}

std::string SiteCensus::SiteText(uint64_t number) const {
  return Site{files_[number >> 32], static_cast<int>(number & 0xffffffffu)}.ToString();
}

void SiteCensus::Record(NodeId from, NodeId to, const Site& from_site, const Site& to_site) {
  Places& places = places_[PairKey(from, to)];
  if (places.size() >= places_max_) return;
  place_count_ += places.insert({NumberOf(from_site), NumberOf(to_site)}).second;
}

void SiteCensus::Forget(NodeId node) {
  for (auto entry = places_.begin(); entry != places_.end();) {
    const auto current = entry++;
    if (current->first >> 32 != Index(node) && (current->first & 0xffffffffu) != Index(node)) continue;
    place_count_ -= current->second.size();
    places_.erase(current);
  }
}

const SiteCensus::Places* SiteCensus::Find(NodeId from, NodeId to) const {
  const auto found = places_.find(PairKey(from, to));
  return found == places_.end() ? nullptr : &found->second;
}

size_t SiteCensus::Count(NodeId from, NodeId to) const {
  const Places* places = Find(from, to);
  return places == nullptr ? 0 : places->size();
}

std::string SiteCensus::CountText(size_t count) const { return absl::StrCat(count, count >= places_max_ ? "+" : ""); }

std::string SiteCensus::OddPlaces(const Places& places) const {
  constexpr size_t kShown = 3;
  std::string text = places.size() == 1 ? "the odd one is " : "the others are ";
  size_t shown = 0;
  for (const Place& place : places) {
    if (shown == kShown) break;
    absl::StrAppend(&text, shown++ == 0 ? "" : ", ", SiteText(place.to));
  }
  if (places.size() > shown) absl::StrAppend(&text, " and ", CountText(places.size() - shown), " more");
  return text;
}

std::string SiteCensus::Hint(const std::vector<std::pair<NodeId, NodeId>>& cycle, const LockClassTable& classes) const {
  std::vector<size_t> counts;
  for (const auto& [from, to] : cycle) counts.push_back(Count(from, to));
  if (counts.size() < 2) return "";
  const auto odd = static_cast<size_t>(std::min_element(counts.begin(), counts.end()) - counts.begin());
  std::vector<size_t> others = counts;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(odd));
  const size_t least = *std::min_element(others.begin(), others.end());
  if (counts[odd] == 0 || counts[odd] == least) return "";  // not known, or nothing stands out
  const std::string odd_places = OddPlaces(*Find(cycle[odd].first, cycle[odd].second));
  const std::string before = classes.NodeName(cycle[odd].first);
  const std::string after = classes.NodeName(cycle[odd].second);
  if (cycle.size() == 2) {
    return absl::StrCat(CountText(least), " of ", CountText(least + counts[odd]), " sites take ", after, " before ", before,
                        "; ", odd_places);
  }
  return absl::StrCat("only ", counts[odd], counts[odd] == 1 ? " site takes " : " sites take ", before, " before ", after,
                      ", while each other order of the cycle is taken at ", CountText(least), " or more; ", odd_places);
}

size_t SiteCensus::MemoryBytes() const {
  return places_.capacity() * (sizeof(uint64_t) + sizeof(Places)) + place_count_ * sizeof(Place) +
         file_numbers_.capacity() * (sizeof(std::string) + sizeof(uint32_t)) + files_.capacity() * sizeof(const char*);
}

}  // namespace ordeal::lockdep
