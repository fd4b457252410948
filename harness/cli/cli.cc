#include "harness/cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "harness/cli/arguments.h"
#include "harness/cli/commands.h"
#include "harness/cli/exit_status.h"
#include "harness/cli/kernel_command.h"
#include "harness/cli/lockdep_command.h"
#include "harness/cli/model_graph.h"

namespace ordeal {
namespace {

constexpr char kVersion[] = "ordeal 0.1.0";
constexpr char kFooter[] =
    "Exit status: 0 nothing found, 1 findings, 2 bad usage or bad input, 3 could not run here.\n"
    "Begin with: ordeal list; ordeal run punch-hole-vs-read --bug=B01";

// One program run: the parser, and the arguments that it fills.
class Program {
 public:
  explicit Program(const Registry& registry)
      : registry_(registry), app_("ordeal puts a page-cache locking protocol on trial", "ordeal") {
    app_.set_version_flag("--version", kVersion);
    app_.footer(kFooter);
    app_.require_subcommand(1);
    AddList();
    AddRun();
    AddReplay();
    AddNightly();
    AddMinimise();
    AddCorpus();
    KernelHooks hooks;
    hooks.model_graph = [this](const std::string& filesystem) { return ModelOrderGraph(registry_, filesystem); };
    hooks.program = &lockdep_program_;
    AddLockdepCommand(app_, &lockdep_program_, &command_);
    AddKernelCommand(app_, hooks, &command_);
  }

  int Run(int argc, char** argv) {
    if (argc >= 1) run_.program = argv[0];
    lockdep_program_ = CutLockdepProgram(&argc, argv);
    // An unknown verb gets a suggestion; the parser would only say that it did not expect it.
    if (argc < 2) return UnknownVerb(app_, "");
    const std::string first = argv[1];
    if (first[0] == '-' && first != "-h" && first != "--help" && first != "--version") {
      return Fail(absl::InvalidArgumentError(
          absl::StrCat("there is no option '", first, "' before a command; see 'ordeal --help'")));
    }
    if (first[0] != '-' && !HasVerb(app_, first)) return UnknownVerb(app_, first);
    if (argc >= 3 && first[0] != '-' && argv[2][0] != '-') {
      const CLI::App& verb = *app_.get_subcommand(first);
      if (!Verbs(verb).empty() && !HasVerb(verb, argv[2])) return UnknownVerb(verb, argv[2]);
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) return app_.exit(error) == 0 ? kExitQuiet : kExitUsage;  // --help, --version
      return BadUsage(error);
    }
    return command_();
  }

 private:
  void AddList() {
    CLI::App* verb = app_.add_subcommand("list", "What there is: scenarios, filesystems, bugs, strategies, faults");
    verb->add_option("topic", list_.topic, "scenarios, filesystems, bugs, strategies or faults; all when left out");
    verb->add_flag("--json", list_.json, "Print JSON");
    verb->callback([this] { command_ = [this] { return ListCommand(registry_, list_); }; });
  }

  void AddRun() {
    CLI::App* verb = app_.add_subcommand("run", "Runs schedules of one scenario until something is found");
    verb->add_option("scenario", run_.scenario, "See 'ordeal list scenarios'")->required();
    verb->add_option("--fs", run_.filesystem, "File system; the scenario's first when left out");
    verb->add_option("--bug", run_.bugs, "Bugs to switch on, by id or name: B01,B02")->allow_extra_args(false);
    verb->add_option("--strategy", run_.strategy, "random, or pct:DEPTH")->capture_default_str();
    verb->add_option("--faults", run_.faults,
                     "Faults, comma separated, or 'all' or 'none'; NAME:PERCENT says how often; the scenario's own when left out");
    verb->add_option("--schedules", run_.schedules, "At most so many schedules; 10000 without --time");
    verb->add_option("--time", run_.time, "At most so long: 30s, 2m, 8h");
    verb->add_option("--seed", run_.seed, "Schedule n of a seed is always the same")->capture_default_str();
    verb->add_option("--save", run_.save, "Folder for what is found")->capture_default_str();
    verb->add_flag("--no-save", run_.no_save, "Save nothing");
    verb->add_flag("--keep-going", run_.keep_going, "Do not stop at the first finding");
    verb->add_flag("--fail-nth", run_.fail_nth,
                   "Fail every fault point once, of the first --schedules schedules (1 when left out)");
    verb->add_flag("--no-confirm", run_.no_confirm, "Do not look for a schedule that blocks on a lock cycle that was found");
    verb->add_flag("--json", run_.json, "Print JSON");
    verb->callback([this] { command_ = [this] { return RunCommand(registry_, run_); }; });
  }

  void AddReplay() {
    CLI::App* verb = app_.add_subcommand("replay", "Repeats saved runs, twice: same finding and trace, or exit status 1");
    verb->add_option("path", replay_.paths, "Corpus files, or folders of them")->required();
    verb->add_option("--lock-trace", replay_.lock_trace, "Write the locks of the run to this file: see 'ordeal lockdep --trace'");
    verb->add_flag("--verbose", replay_.verbose, "Print every step and the whole finding");
    verb->add_flag("--json", replay_.json, "Print JSON");
    verb->callback([this] { command_ = [this] { return ReplayCommand(registry_, replay_); }; });
  }

  void AddNightly() {
    CLI::App* verb = app_.add_subcommand("nightly", "Every scenario on every file system, for a given time; writes a report");
    verb->add_option("--time", nightly_.time, "How long: 2m, 8h")->capture_default_str();
    verb->add_option("--dir", nightly_.directory, "Folder for report.md, report.json and findings/")->capture_default_str();
    verb->add_option("--seed", nightly_.seed, "Another seed, other schedules")->capture_default_str();
    verb->add_flag("--no-confirm", nightly_.no_confirm, "Do not look for schedules that block on lock cycles that were found");
    CLI::Option* canaries =
        verb->add_flag("--canaries", nightly_.canaries, "Instead: every known bug over many seeds, and every clean file system");
    const auto of_canaries = [&](const char* name, std::string& value, const char* text) {
      verb->add_option(name, value, text)->capture_default_str()->needs(canaries);
    };
    of_canaries("--seeds", nightly_.seeds, "Of --canaries: seeds for each bug; 0: no bugs");
    of_canaries("--clean", nightly_.clean, "Of --canaries: schedules of each clean file system");
    of_canaries("--corpus", nightly_.corpus, "Of --canaries: folder for one minimised run of each bug");
    verb->add_flag("--json", nightly_.json, "Print the report as JSON");
    verb->callback([this] { command_ = [this] { return NightlyCommand(registry_, nightly_); }; });
  }

  void AddMinimise() {
    CLI::App* verb = app_.add_subcommand("minimise", "Makes a saved run smaller: fewer switches and faults, the same finding");
    verb->add_option("path", minimise_.path, "Corpus file")->required();
    verb->add_option("-o,--output", minimise_.output, "Where to; NAME.min.txtpb beside it when left out");
    verb->add_option("--runs", minimise_.runs, "At most so many runs")->capture_default_str();
    verb->add_flag("--json", minimise_.json, "Print JSON");
    verb->callback([this] { command_ = [this] { return MinimiseCommand(registry_, minimise_); }; });
  }

  void AddCorpus() {
    CLI::App* corpus = app_.add_subcommand("corpus", "Corpus files: check, show");
    corpus->require_subcommand(1);
    CLI::App* check = corpus->add_subcommand("check", "Reads files and checks their names, without running them");
    check->add_option("path", corpus_.paths, "Corpus files, or folders of them")->required();
    check->add_flag("--json", corpus_.json, "Print JSON");
    check->callback([this] { command_ = [this] { return CorpusCheckCommand(registry_, corpus_); }; });
    CLI::App* show = corpus->add_subcommand("show", "Prints files for people");
    show->add_option("path", corpus_.paths, "Corpus files, or folders of them")->required();
    show->add_flag("--json", corpus_.json, "Print JSON");
    show->callback([this] { command_ = [this] { return CorpusShowCommand(registry_, corpus_); }; });
  }

  static std::vector<std::string> Verbs(const CLI::App& app) {
    std::vector<std::string> verbs;
    for (const CLI::App* known : app.get_subcommands([](const CLI::App*) { return true; })) {
      verbs.push_back(known->get_name());
    }
    return verbs;
  }
  static bool HasVerb(const CLI::App& app, const std::string& verb) {
    const std::vector<std::string> verbs = Verbs(app);
    return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
  }

  // An empty verb: none was given.
  static int UnknownVerb(const CLI::App& app, const std::string& verb) {
    const std::vector<std::string> verbs = Verbs(app);
    const std::string nearest = verb.empty() ? "" : NearestName(verb, verbs);
    const std::string what =
        verb.empty() ? std::string("a command is missing") : absl::StrCat("there is no command '", verb, "'");
    return Fail(absl::InvalidArgumentError(
        nearest.empty() ? absl::StrCat(what, "; there are: ", absl::StrJoin(verbs, ", "), "; see '", app.get_name(), " --help'")
                        : absl::StrCat(what, "; did you mean '", nearest, "'?")));
  }

  int BadUsage(const CLI::ParseError& error) {
    std::string verb = "ordeal";
    const CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) {
      app = app->get_subcommands().front();
      absl::StrAppend(&verb, " ", app->get_name());
    }
    return Fail(absl::InvalidArgumentError(absl::StrCat(error.what(), "; see '", verb, " --help'")));
  }

  const Registry& registry_;
  CLI::App app_;
  std::function<int()> command_;
  std::vector<std::string> lockdep_program_;
  ListArguments list_;
  RunArguments run_;
  ReplayArguments replay_;
  NightlyArguments nightly_;
  MinimiseArguments minimise_;
  CorpusArguments corpus_;
};

}  // namespace

int Main(int argc, char** argv, const Registry& registry) {
  const int status = Program(registry).Run(argc, argv);
  // A full disk or a closed pipe must not look like success.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return Fail(absl::UnavailableError("cannot write to standard output"));
  }
  return status;
}

}  // namespace ordeal
