// The flags of the commands that read detail records.
#include <CLI/CLI.hpp>

#include "gateway/cli/records.h"

namespace tollgate::gateway::cli {
namespace {

void add_place(CLI::App& command, RecordFilter& filter) {
  command.add_option("--config", filter.config, "The configuration, whose [records] is read")
      ->type_name("FILE");
  command.add_option("--records", filter.directory, "A directory of detail records, instead")
      ->type_name("DIR");
}

void add_filter(CLI::App& command, RecordFilter& filter) {
  command
      .add_option("--last", filter.last,
                  "Messages that ended in the last 90s, 15m, 24h, 7d ... "
                  "(default: 24h)")
      ->type_name("SPAN");
  command.add_option("--from", filter.from, "Messages that ended then or later, in UTC")
      ->type_name("TIME");
  command.add_option("--to", filter.to, "Messages that ended before")->type_name("TIME");
  command.add_option("--client", filter.client, "Its messages")->type_name("C");
  command.add_option("--carrier", filter.carrier, "Messages that it was asked to take")
      ->type_name("C");
  command
      .add_option("--destination", filter.destination, "Its messages: MCC and MNC, or an MCC alone")
      ->type_name("MCCMNC");
  command.add_option("--state", filter.state, "How they ended, such as delivered")
      ->type_name("STATE");
  command.add_option("--number", filter.number, "Messages to it, or to all that begin so")
      ->type_name("N");
}

constexpr const char* kBy = "client, destination, country, carrier, state, day, hour, version";

void add_list(CLI::App& app, RecordsOptions& options) {
  CLI::App& command =
      *app.add_subcommand("records", "Print detail records: one for each message that ended");
  add_filter(command, options);
  command.add_option("--message", options.message, "This one, whenever it ended")->type_name("ID");
  command.add_option("--sum", options.by, std::string("Add up instead, by: ") + kBy)
      ->type_name("BY");
  command.add_option("--limit", options.limit, "At most so many")->type_name("N");
  command.add_flag("--json", options.json, "Print JSON, one object a record");
  add_place(command, options);
  command.footer(
      "Reads only; a gateway may be running. A state with a * is the gateway's own word: no "
      "carrier "
      "said it.\nExit status: 0 fine, 1 damage, or no such message, 2 bad usage.\n\n"
      "Examples:\n  tollgate records --last 1h --client shop --state undeliverable\n"
      "  tollgate records --from 2026-11-01 --to 2026-12-01 --json > november.jsonl\n"
      "  tollgate records --message 018f3a5b9c2d4e60 --json");
}

void add_margins(CLI::App& app, RecordsOptions& options) {
  options.by = "client,destination";
  CLI::App& command =
      *app.add_subcommand("margins", "Add up revenue, cost and margin of messages that ended");
  command.add_option("--by", options.by, std::string("One or more of ") + kBy)
      ->type_name("BY")
      ->capture_default_str();
  add_filter(command, options);
  command.add_option("--limit", options.limit, "At most so many rows")->type_name("N");
  command.add_flag("--json", options.json, "Print JSON");
  add_place(command, options);
  command.footer(
      "delivered: of the messages that a carrier took and whose end is known. Amounts are in the "
      "tables' base currency.\nExit status: 0 fine, 1 damage, 2 bad usage.\n\n"
      "Example:\n  tollgate margins --by client,destination --last 24h");
}

void add_replay(CLI::App& rates, ReplayOptions& options) {
  CLI::App& command = *rates.add_subcommand(
      "replay", "Decide the messages that ended again, under a draft and under what is in force");
  command.add_option("tables", options.tables, "A draft's number, version:N, or a directory")
      ->type_name("DRAFT")
      ->required();
  command
      .add_option("--against", options.against,
                  "A version's number or a directory (default: what is in force)")
      ->type_name("T");
  command
      .add_option("--at", options.at,
                  "By the rows in force then, in UTC (default: when the draft's last row is, else "
                  "now)")
      ->type_name("TIME");
  add_filter(command, options);
  command.add_option("--limit", options.limit, "Rows of each table; 0 shows all")->type_name("N");
  command.add_flag("--json", options.json, "Print JSON");
  add_place(command, options);
  command.footer(
      "Exit status: 0 fine, 1 findings (messages that lose their route, or would be sent at a "
      "loss), 2 bad usage.\n\nExample:\n  tollgate rates replay 17 --last 24h");
}

}  // namespace

void add_records(CLI::App& app, RecordCommands& commands) {
  add_list(app, commands.records);
  add_margins(app, commands.margins);
  add_replay(*app.get_subcommand("rates"), commands.replay);
}

std::optional<int> run_records(const CLI::App& app, RecordCommands& commands) {
  if (app.got_subcommand("records")) return records(commands.records);
  if (app.got_subcommand("margins")) return margins(commands.margins);
  if (app.got_subcommand("rates") && app.get_subcommand("rates")->got_subcommand("replay")) {
    return replay(commands.replay);
  }
  return std::nullopt;
}

}  // namespace tollgate::gateway::cli
