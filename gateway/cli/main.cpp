// tollgate: the command line. Reads flags, hands over to gateway/cli/commands.h.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <system_error>

#include <CLI/CLI.hpp>

#include "core/environment.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/records.h"
#include "gateway/cli/sheet_flags.h"
#include "gateway/cli/tables.h"
#include "gateway/cli/terminal.h"
#include "gateway/config/config.h"

namespace tollgate::gateway::cli {

std::string default_config() {
  std::error_code error;
  for (const char* path : {"tollgate.toml", "/etc/tollgate/tollgate.toml"}) {
    if (std::filesystem::exists(path, error)) return path;
  }
  return "tollgate.toml";
}

namespace {

constexpr const char* kConfigHelp =
    "The configuration (default: ./tollgate.toml, else /etc/tollgate/tollgate.toml)";

void add_run(CLI::App& app, RunOptions& options) {
  CLI::App& command = *app.add_subcommand("run", "Run the gateway until SIGTERM or SIGINT");
  command.add_option("--config", options.config, kConfigHelp)->type_name("FILE");
  command
      .add_option("--shards", options.shards, "Threads that carry messages, instead of the file's")
      ->type_name("N")
      ->check(CLI::Range(1u, static_cast<unsigned>(kShardsMax)));
  command.add_flag("--core-dumps", options.core_dumps,
                   "To find a defect: leave a core dump, and let debuggers of this user attach "
                   "(carriers' passwords are in it)");
  command.footer(
      "SIGTERM drains and unbinds politely; SIGHUP loads the tables anew.\n\n"
      "Example:\n  tollgate run --config /etc/tollgate/tollgate.toml --shards 2");
}

void add_check(CLI::App& app, CheckOptions& options) {
  CLI::App& command = *app.add_subcommand(
      "check", "Name every fault of a configuration and of the tables it points to");
  command.add_option("--config", options.config, kConfigHelp)->type_name("FILE");
  command.add_flag("--json", options.json, "Print JSON");
  command.footer(
      "Exit status: 0 fine, 1 faults, 2 bad usage.\n\n"
      "Example:\n  tollgate check --config deploy/tollgate.toml");
}

void add_explain(CLI::App& app, ExplainOptions& options) {
  CLI::App& command = *app.add_subcommand(
      "explain", "Show where a message would go, what it costs, and why not elsewhere");
  command.add_option("number", options.number, "The destination, as a client would send it")
      ->type_name("NUMBER");
  command.add_option("--client", options.client, "The client's system_id")->type_name("C");
  command.add_option("--from", options.from, "The source address")->type_name("S");
  command
      .add_option("--tables", options.tables,
                  "A version's number, current, draft:N, or a directory (default: the "
                  "configuration's)")
      ->type_name("T");
  command.add_option("--at", options.at, "An instant, in UTC (default: now)")->type_name("TIME");
  command.add_option("--config", options.config, kConfigHelp)->type_name("FILE");
  command
      .add_option("--message", options.message,
                  "Instead of a number: the decision that was taken of this message, from its "
                  "detail record")
      ->type_name("ID");
  command
      .add_option("--records", options.records, "Where detail records are, instead of [records]")
      ->type_name("DIR");
  command.add_flag("--json", options.json, "Print JSON");
  command.footer(
      "Every bind counts as up, but for --message. Exit status: 0 there is a route, 1 there is "
      "none "
      "(--message: the tables decide otherwise), 2 bad usage.\n\n"
      "Examples:\n  tollgate explain +447700900123 --client shop --from ACME\n"
      "  tollgate explain --message 018f3a5b9c2d4e60");
}

void add_pdu(CLI::App& app, PduOptions& options) {
  CLI::App& command =
      *app.add_subcommand("pdu", "Print SMPP PDUs as JSON with the specification's field names");
  command
      .add_option("hex", options.hex,
                  "Hexadecimal octets; blanks, colons and 0x may stand between; - reads stdin")
      ->type_name("HEX...")
      ->required();
  command.footer(
      "Exit status: 0 fine, 1 not a PDU (what is wrong, and at which octet), 2 bad usage.\n\n"
      "Examples:\n  tollgate pdu 00000010 00000015 00000000 00000001\n"
      "  xxd -p capture.bin | tollgate pdu -");
}

void add_journal(CLI::App& app, JournalOptions& options) {
  CLI::App& command = *app.add_subcommand(
      "journal", "Print a journal's records, verify its octets, audit what it says");
  command.add_option("directory", options.directory, "The journal's directory")
      ->type_name("DIR")
      ->required();
  command.add_flag("--verify", options.verify,
                   "Print no records: name every damaged region and the torn tail");
  command.add_flag("--audit", options.audit,
                   "Print no records: add up accepted, settled and live messages, and name what "
                   "no journal should say");
  command.add_flag("--dead", options.dead,
                   "Print no records: the dead letters, receipts that could be told to nobody");
  command.add_option("--message", options.message, "Only the records of this message")
      ->type_name("ID");
  command.add_option("--limit", options.limit, "At most so many records, or findings")
      ->type_name("N");
  command.add_flag("--json", options.json, "Print JSON, one object a record");
  command.footer(
      "Reads only; a gateway may be running. Exit status: 0 fine, 1 damage or findings, 2 bad "
      "usage.\n\n"
      "Examples:\n  tollgate journal /var/lib/tollgate/journal --message 018f3a5b9c2d4e60\n"
      "  tollgate journal /var/lib/tollgate/journal --verify --audit\n"
      "  tollgate journal /var/lib/tollgate/journal --dead");
}

int dispatch(int argc, char** argv) {
  CLI::App app("An SMPP gateway that finds each message's carrier by cost, margin and rule.");
  app.name("tollgate");
  app.set_version_flag("--version", "tollgate " TOLLGATE_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Example:\n  tollgate check --config tollgate.toml && tollgate run --config "
      "tollgate.toml\n\n`tollgate COMMAND --help` tells the flags of a command.");
  RunOptions run_options;
  CheckOptions check_options;
  ExplainOptions explain_options;
  PduOptions pdu_options;
  JournalOptions journal_options;
  SheetCommands sheet_commands;
  TablesOptions tables_options;
  RecordCommands record_commands;
  add_run(app, run_options);
  add_check(app, check_options);
  add_explain(app, explain_options);
  add_pdu(app, pdu_options);
  add_journal(app, journal_options);
  add_tables(app, tables_options);
  add_sheets(app, sheet_commands, tables_options);
  add_records(app, record_commands);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kFine : kBadUsage;
  }
  for (std::string* config :
       {&run_options.config, &check_options.config, &explain_options.config}) {
    if (config->empty()) *config = default_config();
  }
  if (app.got_subcommand("run")) return run(run_options);
  if (app.got_subcommand("check")) return check(check_options);
  if (app.got_subcommand("explain")) return explain(explain_options);
  if (app.got_subcommand("journal")) return journal(journal_options);
  if (const auto status = run_records(app, record_commands)) return *status;
  if (const auto status = run_sheets(app, sheet_commands)) return *status;
  if (const auto status = run_tables(app, tables_options)) return *status;
  return pdu(pdu_options);
}

}  // namespace
}  // namespace tollgate::gateway::cli

int main(int argc, char** argv) {
  tollgate::core::open_standard_descriptors();
  try {
    using namespace tollgate::gateway::cli;
    return finish_output(dispatch(argc, argv));
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "tollgate: no memory is left (ulimit -v, or the group's memory.max)\n");
    return tollgate::gateway::cli::kFindings;
  } catch (const std::system_error& error) {
    const bool limit = error.code() == std::errc::resource_unavailable_try_again;
    std::fprintf(stderr, "tollgate: %s%s\n", error.what(),
                 limit ? ": no more threads are allowed (ulimit -u, or systemd's TasksMax)" : "");
    return tollgate::gateway::cli::kFindings;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tollgate: %s\n", error.what());
    return tollgate::gateway::cli::kFindings;
  }
}
