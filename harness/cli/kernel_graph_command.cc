#include "harness/cli/kernel_graph_command.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bpf/class_map.h"
#include "bpf/comparison_dot.h"
#include "bpf/kernel_witnesses.h"
#include "bpf/lockdep_import.h"
#include "bpf/order_comparer.h"
#include "harness/cli/exit_status.h"
#include "harness/corpus/corpus_file.h"
#include "lockdep/report/violation_dot.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

using lockdep::OrderGraph;
using nlohmann::ordered_json;

struct GraphArguments {
  std::string filesystem = "xfs";
  std::vector<std::string> graphs;  // [MODEL] KERNEL of compare
  std::string graph;                // of the others
  std::string model;
  std::string map;
  std::string dot;
  std::string svg;
  std::string chains;
  std::string symbols;
  std::string witness = "both";
  std::string out;
  bool json = false;
};

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }
void Print(const ordered_json& json) {
  // A file's strings may hold any bytes.
  Print(json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

struct KernelSide {
  OrderGraph graph;
  std::optional<bpf::WitnessComparison> witnesses;  // of a folder that has both
};

// A graph file, or a folder that `ordeal kernel run --vm` has filled: there --witness says whose orders count.
absl::StatusOr<KernelSide> ReadKernelSide(const std::string& path, const GraphArguments& arguments, const bpf::ClassMap& map) {
  KernelSide side;
  if (!std::filesystem::is_directory(path)) {
    if (arguments.witness != "both") {
      return absl::InvalidArgumentError("--witness chooses in a folder of 'kernel run --vm'; a graph file has one witness");
    }
    ASSIGN_OR_RETURN(side.graph, lockdep::ReadOrderGraph(path));
    return side;
  }
  const std::string record_path = bpf::VmRecord(path, map.file_system());
  if (arguments.witness == "record") {
    if (record_path.empty()) {
      return absl::NotFoundError(absl::StrCat(path, " has no recording of ", map.file_system(), "; use --witness=lockdep"));
    }
    ASSIGN_OR_RETURN(side.graph, lockdep::ReadOrderGraph(record_path));
    return side;
  }
  ASSIGN_OR_RETURN(side.graph, bpf::ImportVmResults(path));
  if (arguments.witness == "lockdep" || record_path.empty()) return side;
  ASSIGN_OR_RETURN(const OrderGraph record, lockdep::ReadOrderGraph(record_path));
  side.witnesses = bpf::CompareWitnesses(side.graph, record, map);
  side.graph = bpf::UniteWitnesses(std::move(side.graph), record);
  return side;
}

absl::StatusOr<OrderGraph> ModelGraph(const std::string& file, const GraphArguments& arguments, const KernelHooks& hooks) {
  if (!file.empty()) return lockdep::ReadOrderGraph(file);
  if (hooks.model_graph) return hooks.model_graph(arguments.filesystem);
  return absl::InvalidArgumentError("this program has no models; name a file that one wrote before the kernel's graph");
}

absl::Status WritePictures(const bpf::Comparison& comparison, const GraphArguments& arguments) {
  if (arguments.dot.empty() && arguments.svg.empty()) return absl::OkStatus();
  const std::string dot = bpf::ComparisonToDot(comparison);
  if (!arguments.dot.empty()) RETURN_IF_ERROR(WriteFileAtomically(arguments.dot, dot));
  if (arguments.svg.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string svg, lockdep::DotToSvg(dot));
  return WriteFileAtomically(arguments.svg, svg);
}

int Compare(const GraphArguments& arguments, const KernelHooks& hooks) {
  if (arguments.graphs.size() > 2) {
    return Fail(absl::InvalidArgumentError("compare takes one or two graphs: [MODEL] KERNEL"));
  }
  if (arguments.graphs.size() == 2 && !arguments.model.empty()) {
    return Fail(absl::InvalidArgumentError("two graphs and --model: name the model's graph once"));
  }
  const absl::StatusOr<bpf::ClassMap> map =
      arguments.map.empty() ? bpf::BuiltInClassMap(arguments.filesystem) : bpf::ReadClassMap(arguments.map);
  if (!map.ok()) return Fail(map.status());
  const absl::StatusOr<KernelSide> kernel = ReadKernelSide(arguments.graphs.back(), arguments, *map);
  if (!kernel.ok()) return Fail(kernel.status());
  const absl::StatusOr<OrderGraph> model =
      ModelGraph(arguments.graphs.size() == 2 ? arguments.graphs.front() : arguments.model, arguments, hooks);
  if (!model.ok()) return Fail(model.status());
  const bpf::Comparison comparison = bpf::CompareOrderGraphs(*model, kernel->graph, *map);
  if (absl::Status status = WritePictures(comparison, arguments); !status.ok()) return Fail(status);
  if (arguments.json) {
    ordered_json json = bpf::ComparisonToJson(comparison);
    if (kernel->witnesses) json["witnesses"] = bpf::WitnessesToJson(*kernel->witnesses);
    Print(json);
  } else {
    Print(bpf::FormatComparison(comparison));
    if (kernel->witnesses) Print("\n" + bpf::FormatWitnesses(*kernel->witnesses));
  }
  return comparison.contradicts() ? kExitFindings : kExitQuiet;
}

int PrintOrWrite(const absl::StatusOr<OrderGraph>& graph, const GraphArguments& arguments) {
  if (!graph.ok()) return Fail(graph.status());
  if (!arguments.out.empty()) {
    if (absl::Status status = lockdep::WriteOrderGraph(*graph, arguments.out); !status.ok()) return Fail(status);
  }
  if (arguments.json) {
    Print(bpf::OrderGraphToJson(*graph));
  } else if (arguments.out.empty()) {
    Print(graph->ToString());
  } else {
    Print(absl::StrCat(graph->nodes.size(), " classes, ", graph->edges.size(), " orders written to ", arguments.out, "\n"));
  }
  return kExitQuiet;
}

int Import(const GraphArguments& arguments) {
  if (std::filesystem::is_directory(arguments.graph)) return PrintOrWrite(bpf::ImportVmResults(arguments.graph), arguments);
  const bpf::LockdepFiles files{
      .lockdep = arguments.graph, .chains = arguments.chains, .symbols = arguments.symbols, .source = "kernel"};
  return PrintOrWrite(bpf::ImportLockdep(files), arguments);
}

int PrintMap(const GraphArguments& arguments) {
  const absl::StatusOr<std::string> text = bpf::BuiltInClassMapText(arguments.filesystem);
  if (!text.ok()) return Fail(text.status());
  Print(*text);
  return kExitQuiet;
}

void AddCompare(CLI::App& kernel, const std::shared_ptr<GraphArguments>& arguments, const KernelHooks& hooks,
                std::function<int()>* command) {
  CLI::App* compare = kernel.add_subcommand("compare", "The model's orders against a kernel's: exit status 1 if they contradict");
  compare
      ->add_option("[MODEL] KERNEL", arguments->graphs,
                   "Order graphs, or a folder of 'kernel run --vm'; the model runs when left out")
      ->required();
  compare->add_option("--model", arguments->model, "The model's graph, as the first of two");
  compare->add_option("--fs", arguments->filesystem, "The file system: its model and its class map")->capture_default_str();
  compare->add_option("--map", arguments->map, "A class map instead of the built-in one ('kernel map' prints that)");
  compare
      ->add_option("--witness", arguments->witness,
                   "Of a folder of 'kernel run --vm': /proc/lockdep, what eBPF recorded, or both together")
      ->check(CLI::IsMember({"both", "lockdep", "record"}))
      ->capture_default_str();
  compare->add_option("--dot", arguments->dot, "Write the picture in Graphviz's language");
  compare->add_option("--svg", arguments->svg, "Write the picture as SVG");
  compare->add_flag("--json", arguments->json, "Print JSON");
  compare->callback([arguments, command, hooks] { *command = [arguments, hooks] { return Compare(*arguments, hooks); }; });
}

}  // namespace

void AddKernelGraphCommands(CLI::App& kernel, const KernelHooks& hooks, std::function<int()>* command) {
  // Shared with the callbacks: the parser fills it after this function has returned.
  const auto arguments = std::make_shared<GraphArguments>();
  AddCompare(kernel, arguments, hooks, command);

  CLI::App* import = kernel.add_subcommand("import", "Makes an order graph of what a kernel's lockdep has seen");
  import->add_option("LOCKDEP", arguments->graph, "/proc/lockdep, a copy of it, or a folder of 'kernel run --vm'")->required();
  import->add_option("--chains", arguments->chains, "/proc/lockdep_chains or its copy: orders across other locks");
  import->add_option("--symbols", arguments->symbols, "That kernel's System.map or /proc/kallsyms: tells keys of one name apart");
  import->add_option("--out", arguments->out, "Write it to this file (.txtpb)");
  import->add_flag("--json", arguments->json, "Print JSON");
  import->callback([arguments, command] { *command = [arguments] { return Import(*arguments); }; });

  CLI::App* show = kernel.add_subcommand("show", "Prints an order-graph file");
  show->add_option("FILE", arguments->graph, "An order graph")->required();
  show->add_flag("--json", arguments->json, "Print JSON");
  show->callback([arguments, command] {
    *command = [arguments] { return PrintOrWrite(lockdep::ReadOrderGraph(arguments->graph), *arguments); };
  });

  CLI::App* model = kernel.add_subcommand("model", "Prints the model's order graph, or writes it");
  model->add_option("--fs", arguments->filesystem, "File system")->capture_default_str();
  model->add_option("--out", arguments->out, "Write it to this file (.txtpb)");
  model->add_flag("--json", arguments->json, "Print JSON");
  model->callback([arguments, command, hooks] {
    *command = [arguments, hooks] { return PrintOrWrite(ModelGraph("", *arguments, hooks), *arguments); };
  });

  CLI::App* map = kernel.add_subcommand("map", "Prints a class map: which classes of model and kernel are one lock");
  map->add_option("--fs", arguments->filesystem, "File system")->capture_default_str();
  map->callback([arguments, command] { *command = [arguments] { return PrintMap(*arguments); }; });
}

}  // namespace ordeal
