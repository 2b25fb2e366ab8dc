#include "tabletserver/storage/wiredtiger/wt_run_scan.h"

#include <algorithm>

namespace ebla::tabletserver {

WtRunScan::WtRunScan(WtSession& session, BufferScan* buffer, const std::vector<RunOfTable>& runs,
                     const Options& options)
    : session_(session), options_(options) {
  if (buffer != nullptr) {
    sources_.push_back(std::make_unique<Source>());
    sources_.back()->buffer = buffer;
  }
  for (const RunOfTable& run : runs) {
    const Run& rows = run.file->run;
    if (!options_.range.Overlaps({rows.first_key, KeyAfter(rows.last_key)})) continue;
    sources_.push_back(std::make_unique<Source>());
    sources_.back()->age = sources_.size();
    sources_.back()->run = &run;
  }
}

int WtRunScan::Start() {
  for (const auto& source : sources_) {
    if (const int error = Open(*source)) return error;
  }
  return Settle();
}

int WtRunScan::Open(Source& source) {
  if (source.buffer != nullptr) return Push(source, source.buffer->valid() ? 0 : WT_NOTFOUND);
  source.cursor.emplace(session_, RunFileId{source.run->file->run.number}, options_.use);
  if (const int error = source.cursor->error()) return Note(source, error == WT_ERROR ? kDamagedBlock : error);
  const KeyRange& range = options_.range;
  return Push(source,
              options_.reverse ? source.cursor->SeekBefore(range.end) : source.cursor->SeekAtOrAfter(range.start));
}

int WtRunScan::Push(Source& source, int moved) {
  while (moved == 0) {
    if (source.buffer != nullptr) {
      source.key = source.buffer->key();
      break;
    }
    if (const int error = source.cursor->GetKey(&source.key)) return Note(source, error);
    if (IsBeyond(source.key)) return 0;
    const KeyRange* const hole = source.run->holes.At(source.key);
    if (hole == nullptr) break;
    if (options_.reverse ? hole->start.empty() : hole->end.empty()) return 0;
    const std::string beyond = options_.reverse ? hole->start : hole->end;
    moved = options_.reverse ? source.cursor->SeekBefore(beyond) : source.cursor->SeekAtOrAfter(beyond);
  }
  if (moved == WT_NOTFOUND) return 0;
  if (moved != 0) return Note(source, moved);
  heap_.push_back(&source);
  std::push_heap(heap_.begin(), heap_.end(), After{options_.reverse});
  return 0;
}

int WtRunScan::Note(const Source& source, int error) {
  if (error == kDamagedBlock && source.run != nullptr) damaged_ = source.run->file->run.number;
  return error;
}

int WtRunScan::Step(Source& source) {
  if (source.buffer != nullptr) {
    source.buffer->Next();
    return Push(source, source.buffer->valid() ? 0 : WT_NOTFOUND);
  }
  return Push(source, options_.reverse ? source.cursor->Prev() : source.cursor->Next());
}

int WtRunScan::Count(Source& source) {
  if (source.buffer != nullptr) return 0;
  std::string_view row;
  if (const int error = source.cursor->GetValue(&row)) return Note(source, error);
  bytes_passed_ += static_cast<int64_t>(source.key.size() + row.size());
  return 0;
}

int WtRunScan::Pass() {
  // The first one's key stays readable until it moves.
  const std::string_view passed = heap_.front()->key;
  moving_.clear();
  do {
    std::pop_heap(heap_.begin(), heap_.end(), After{options_.reverse});
    moving_.push_back(heap_.back());
    heap_.pop_back();
  } while (!heap_.empty() && heap_.front()->key == passed);
  for (Source* const source : moving_) {
    if (options_.counted) {
      if (const int error = Count(*source)) return error;
    }
    if (const int error = Step(*source)) return error;
  }
  return 0;
}

int WtRunScan::Next() {
  if (const int error = Pass()) return error;
  return Settle();
}

int WtRunScan::Settle() {
  while (!heap_.empty()) {
    Source& first = *heap_.front();
    if (first.buffer != nullptr) {
      row_ = first.buffer->row();
    } else {
      std::string_view bytes;
      if (const int error = first.cursor->GetValue(&bytes)) return Note(first, error);
      row_ = bytes.empty() ? std::nullopt : std::optional(bytes);
    }
    if (row_ || options_.deleted) return 0;
    if (const int error = Pass()) return error;
  }
  return 0;
}

}  // namespace ebla::tabletserver
