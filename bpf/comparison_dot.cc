#include "bpf/comparison_dot.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace ordeal::bpf {
namespace {

std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", " "}}), "\"");
}

constexpr char kBoth[] = "color=black penwidth=1.6";
constexpr char kOnlyModel[] = "color=gray45 style=dotted penwidth=1.4";
constexpr char kExplained[] = "color=gray75 style=dotted arrowsize=0.6";
constexpr char kOnlyKernel[] = "color=darkorange2 style=dashed penwidth=2.2";
constexpr char kReversed[] = "color=red3 penwidth=4 dir=both";

void AppendArrows(const std::vector<ComparedPair>& pairs, const char* style, std::set<std::string>* nodes, std::string* dot) {
  for (const ComparedPair& pair : pairs) {
    nodes->insert(pair.from);
    nodes->insert(pair.to);
    const PairEvidence& evidence = pair.kernel.modes.empty() ? pair.model : pair.kernel;
    const std::string tooltip = absl::StrCat(pair.from, " -> ", pair.to, pair.explanation.empty() ? "" : ": ", pair.explanation,
                                             evidence.from_site.empty() ? "" : "; ", evidence.from_site, " -> ", evidence.to_site);
    absl::StrAppend(dot, "  ", Quoted(pair.from), " -> ", Quoted(pair.to), " [", pair.explanation.empty() ? style : kExplained,
                    " tooltip=", Quoted(tooltip), "];\n");
  }
}

void AppendLegend(const Comparison& comparison, std::string* dot) {
  const auto row = [&](const char* name, const char* text, size_t count, const char* style) {
    absl::StrAppend(dot, "    ", name, "1 [label=", Quoted(absl::StrCat(text, " (", count, ")")), " shape=plaintext];\n    ", name,
                    "2 [label=\"\" shape=point style=invis];\n    ", name, "1 -> ", name, "2 [", style, " minlen=2];\n");
  };
  absl::StrAppend(dot, "  subgraph cluster_legend {\n    label=\"A -> B: B was acquired while A was held\"; color=gray80;\n");
  row("legend_both", "in both", comparison.both.size(), kBoth);
  row("legend_model", "only in the model", comparison.only_model.size() - comparison.coverage.model_explained, kOnlyModel);
  row("legend_explained", "in one only, explained", comparison.coverage.model_explained + comparison.coverage.kernel_explained,
      kExplained);
  row("legend_kernel", "only in the kernel", comparison.only_kernel.size() - comparison.coverage.kernel_explained, kOnlyKernel);
  row("legend_reversed", "reversed", comparison.reversed.size(), kReversed);
  absl::StrAppend(dot, "  }\n");
}

}  // namespace

std::string ComparisonToDot(const Comparison& comparison) {
  std::string dot = absl::StrCat("digraph orders {\n  label=",
                                 Quoted(absl::StrCat(comparison.model_source, " and ", comparison.kernel_source)),
                                 ";\n  labelloc=t; rankdir=LR; fontname=\"sans-serif\"; newrank=true;\n"
                                 "  node [shape=box style=rounded fontname=\"sans-serif\"];\n"
                                 "  edge [fontname=\"sans-serif\" fontsize=10];\n");
  std::set<std::string> nodes;
  std::string arrows;
  AppendArrows(comparison.both, kBoth, &nodes, &arrows);
  AppendArrows(comparison.only_model, kOnlyModel, &nodes, &arrows);
  AppendArrows(comparison.only_kernel, kOnlyKernel, &nodes, &arrows);
  AppendArrows(comparison.reversed, kReversed, &nodes, &arrows);
  for (const std::string& node : nodes) absl::StrAppend(&dot, "  ", Quoted(node), ";\n");
  absl::StrAppend(&dot, arrows);
  AppendLegend(comparison, &dot);
  return absl::StrCat(dot, "}\n");
}

}  // namespace ordeal::bpf
