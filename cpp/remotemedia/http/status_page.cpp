// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/status_page.h"

#include <array>
#include <charconv>
#include <string_view>

namespace remotemedia::detail {
namespace {

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>remotemedia</title><style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
h1 { font-size: 1.2rem } table { border-collapse: collapse } td, th { padding: .35rem .9rem; text-align: right }
th { font-weight: 600; border-bottom: 1px solid #bbb } td { border-bottom: 1px solid #eee; font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left } .well { color: #17793a } .ill { color: #b3261e }
a { color: inherit } @media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b } td { border-color: #333 }
.well { color: #6fd08c } .ill { color: #ff8a80 } }
</style></head><body><h1>remotemedia )";

constexpr std::string_view kColumns =
    "<tr><th>model</th><th>state</th><th>requests</th><th>failed</th><th>refused</th><th>waiting</th><th>running</th>"
    "<th>batch</th><th>p50 ms</th><th>p99 ms</th><th>sessions</th><th>model MiB</th><th>shared MiB</th><th>up "
    "s</th></tr>";

std::string escaped(std::string_view value) {
  std::string text;
  for (const char each : value) {
    switch (each) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      case '"':
        text += "&quot;";
        break;
      default:
        text += each;
    }
  }
  return text;
}

std::string shown(double number, int digits) {
  std::array<char, 400> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed, digits).ptr;
  return {text.data(), end};
}

void cell(std::string& row, std::string_view value) { row.append("<td>").append(value).append("</td>"); }

std::string row_of(const ServedModels& models, const ServedWorker& model) {
  constexpr double kMebi = 1 << 20;
  const WorkerInfo info = model.status();
  const bool well = models.is_serving(info.model_id, "");
  std::string row = "<tr>";
  cell(row, escaped(info.model_id));
  std::string state(models.is_unloaded(info.model_id) ? "unloaded" : to_string(info.status));
  if (!info.reason.empty()) state += ": " + escaped(info.reason);
  row.append("<td class=\"").append(well ? "well" : "ill").append("\">").append(state).append("</td>");
  cell(row, std::to_string(info.total_requests));
  cell(row, std::to_string(info.failed_requests));
  cell(row, std::to_string(info.rejected_requests));
  cell(row, std::to_string(info.queue_depth));
  cell(row, std::to_string(info.current_load));
  cell(row, shown(info.average_batch_size, 2));
  cell(row, shown(info.p50_latency_ms, 3));
  cell(row, shown(info.p99_latency_ms, 3));
  cell(row, std::to_string(info.sessions));
  cell(row, shown(static_cast<double>(model.core.memory_usage()) / kMebi, 1));
  cell(row, shown(static_cast<double>(info.shared_memory_bytes) / kMebi, 1));
  cell(row, shown(info.uptime_seconds, 0));
  return row + "</tr>\n";
}

}  // namespace

std::string status_page(const ServedModels& models) {
  std::string page(kHead);
  page.append(REMOTEMEDIA_VERSION).append("</h1>\n<table>").append(kColumns).append("\n");
  for (const ServedModels::Use& model : models.all()) page += row_of(models, *model);
  page += "</table>\n<p><a href=\"/metrics\">/metrics</a> <a href=\"/v2\">/v2</a></p></body></html>\n";
  return page;
}

}  // namespace remotemedia::detail
