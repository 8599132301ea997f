// SPDX-License-Identifier: Apache-2.0
//
// RecyclingMap: a std::map or std::unordered_map whose next element takes the memory of the one that went last, for
// what comes and goes with every call.

#pragma once

#include <cstddef>
#include <utility>

namespace remotemedia {

/// Threads:  as Map.
template <class Map>
class RecyclingMap {
 public:
  using iterator = typename Map::iterator;
  using key_type = typename Map::key_type;
  using mapped_type = typename Map::mapped_type;

  RecyclingMap() = default;
  RecyclingMap(const RecyclingMap& other) : map_(other.map_) {}
  RecyclingMap(RecyclingMap&&) noexcept = default;
  RecyclingMap& operator=(RecyclingMap other) noexcept {
    map_.swap(other.map_);
    return *this;
  }
  ~RecyclingMap() = default;

  /// False when the key is there already.
  bool emplace(const key_type& key, mapped_type value) {
    if (spare_.empty()) return map_.emplace(key, std::move(value)).second;
    spare_.key() = key;
    spare_.mapped() = std::move(value);
    spare_ = std::move(map_.insert(std::move(spare_)).node);
    return spare_.empty();
  }

  /// Takes it out.
  mapped_type take(iterator place) {
    mapped_type value = std::move(place->second);
    spare_ = map_.extract(place);
    return value;
  }

  iterator find(const key_type& key) { return map_.find(key); }
  iterator begin() { return map_.begin(); }
  iterator end() { return map_.end(); }
  std::size_t size() const noexcept { return map_.size(); }

  /// All that is in it, which is then nothing.
  Map take_all() noexcept { return std::exchange(map_, {}); }

 private:
  Map map_;
  typename Map::node_type spare_;
};

}  // namespace remotemedia
