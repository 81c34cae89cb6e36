// Our encoder against tshark's SMPP dissector, an independent reader: 10,000 generated PDUs of
// every type in a capture file of one TCP connection to port 2775, read back as fields. No frame
// may be malformed, and what tshark read must be what we wrote. Without tshark this test fails:
// deploy/install installs it.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "proto/framer.h"
#include "tests/proto/support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::test;

namespace {

// Little-endian pcap with raw IPv4 packets (link type 101), one PDU a packet.
class Capture {
 public:
  explicit Capture(const std::filesystem::path& file) : out_(file, std::ios::binary) {
    put32(0xA1B2C3D4);
    put32(0x00040002);
    put32(0);
    put32(0);
    put32(0x40000);
    put32(101);
  }
  void add(Octets pdu) {
    const auto total = static_cast<std::uint16_t>(40 + pdu.size());
    std::vector<std::uint8_t> packet(40);
    packet[0] = 0x45;
    store_u16(&packet[2], total);
    packet[6] = 0x40;
    packet[8] = 64;
    packet[9] = 6;
    store_u32(&packet[12], 0x0A000001);
    store_u32(&packet[16], 0x0A000002);
    store_u16(&packet[20], 40'000);
    store_u16(&packet[22], 2'775);
    store_u32(&packet[24], sequence_);
    store_u32(&packet[28], 1);
    packet[32] = 0x50;
    packet[33] = 0x18;
    store_u16(&packet[34], 0xFFFF);
    sequence_ += static_cast<std::uint32_t>(pdu.size());
    put32(++packets_);
    put32(0);
    put32(total);
    put32(total);
    out_.write(reinterpret_cast<const char*>(packet.data()), 40);
    out_.write(reinterpret_cast<const char*>(pdu.data()), static_cast<std::streamsize>(pdu.size()));
  }

 private:
  void put32(std::uint32_t value) {
    const char octets[] = {static_cast<char>(value), static_cast<char>(value >> 8),
                           static_cast<char>(value >> 16), static_cast<char>(value >> 24)};
    out_.write(octets, 4);
  }
  std::ofstream out_;
  std::uint32_t packets_ = 0;
  std::uint32_t sequence_ = 1;
};

// The fields that are asked for, in the order of the columns.
constexpr const char* kColumns[] = {
    "smpp.command_id",           "smpp.command_status",    "smpp.sequence_number",
    "smpp.command_length",       "smpp.system_id",         "smpp.password",
    "smpp.system_type",          "smpp.interface_version", "smpp.service_type",
    "smpp.source_addr_ton",      "smpp.source_addr_npi",   "smpp.source_addr",
    "smpp.dest_addr_ton",        "smpp.dest_addr_npi",     "smpp.destination_addr",
    "smpp.protocol_id",          "smpp.priority_flag",     "smpp.replace_if_present_flag",
    "smpp.sm_default_msg_id",    "smpp.sm_length",         "smpp.message_id",
    "smpp.message_state",        "smpp.error_code",        "smpp.esme_addr",
    "smpp.address_range",        "smpp.data_coding",       "smpp.opt_param_tag",
    "smpp.receipted_message_id", "smpp.source_port"};

// What we wrote, by tshark's names; "value,value" where a field repeats.
struct Written {
  std::map<std::string, std::string> columns;
  void add(const std::string& name, const std::string& value) {
    std::string& column = columns["smpp." + name];
    column += (column.empty() ? "" : ",") + value;
  }
  bool u8(const FieldSpec& spec, std::uint8_t field) {
    add(spec.name, std::to_string(field));
    return true;
  }
  bool c_string(const FieldSpec& spec, std::string_view field) {
    add(spec.name, std::string(field));
    return true;
  }
  bool short_message(Octets field) {
    add("sm_length", std::to_string(field.size()));
    return true;
  }
  bool destinations(const Destinations& list) {
    for (const Destination& d : list) {
      if (d.dest_flag != 1) continue;
      add("dest_addr_ton", std::to_string(d.dest_addr_ton));
      add("dest_addr_npi", std::to_string(d.dest_addr_npi));
      add("destination_addr", std::string(d.destination_addr));
    }
    return true;
  }
  bool unsuccess_smes(const UnsuccessSmes& list) {
    for (const UnsuccessSme& u : list) {
      add("dest_addr_ton", std::to_string(u.dest_addr_ton));
      add("dest_addr_npi", std::to_string(u.dest_addr_npi));
      add("destination_addr", std::string(u.destination_addr));
    }
    return true;
  }
};

template <class T>
Written written(const Header& header, const T& pdu) {
  Written out;
  out.add("command_id", std::to_string(static_cast<std::uint32_t>(header.command_id)));
  if (is_response(header.command_id)) {  // tshark shows it in responses alone
    out.add("command_status", std::to_string(static_cast<std::uint32_t>(header.command_status)));
  }
  out.add("sequence_number", std::to_string(header.sequence_number));
  out.add("command_length", std::to_string(header.command_length));
  visit_fields(pdu, out);
  for (Tlv tlv : Tlvs(pdu.tlvs)) {
    out.add("opt_param_tag", std::to_string(static_cast<unsigned>(tlv.tag)));
    if (tlv.tag == Tag::message_state) out.add("message_state", std::to_string(tlv.value[0]));
    if (tlv.tag == Tag::source_port) {
      out.add("source_port", std::to_string(load_u16(tlv.value.data())));
    }
    if (tlv.tag == Tag::receipted_message_id) {
      out.add("receipted_message_id", std::string(as_text(tlv.value.first(tlv.value.size() - 1))));
    }
  }
  return out;
}

// "0x00000004,7" with every number in decimal; text that is no number stays.
std::string normal(const std::string& column, bool number) {
  if (!number) return column;
  std::string out;
  std::stringstream in(column);
  std::string value;
  while (std::getline(in, value, ',')) {
    out += (out.empty() ? "" : ",") + std::to_string(std::stoul(value, nullptr, 0));
  }
  return out;
}

bool is_number(std::string_view column) {
  for (std::string_view text : {"system_id", "password", "system_type", "service_type", "_addr",
                                "message_id", "address_range"}) {
    if (column.ends_with(text)) return false;
  }
  return true;
}

std::string run(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  char piece[65'536];
  for (std::size_t n = 0; (n = fread(piece, 1, sizeof piece, pipe)) > 0;) out.append(piece, n);
  const int status = pclose(pipe);
  INFO(command << "\n" << out.substr(0, 500));
  REQUIRE(status == 0);
  return out;
}

struct TemporaryDirectory {
  TemporaryDirectory() {
    char name[] = "/tmp/tollgate-tshark-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("10,000 generated PDUs read the same in tshark, none malformed") {
  const TemporaryDirectory directory;
  const auto file = directory.path / "generated.pcap";
  std::vector<Written> expected;
  {
    Capture capture(file);
    Generator generator(4'017, Wildness::modest);
    std::vector<std::uint8_t> out(kPduLengthMax);
    while (expected.size() < 10'000) {
      for (Command command : kCommands) {
        with_pdu(command, [&](auto empty) {
          generator.clear();
          const auto pdu = generator.make<decltype(empty)>();
          // tshark does not look into the body of a response that refuses.
          const bool may_refuse = is_response(command) && encoded_length(pdu) == kHeaderLength;
          const Header header{static_cast<std::uint32_t>(encoded_length(pdu)), command,
                              Status{may_refuse ? generator.below(0x15) : 0U},
                              1 + generator.below(0x7FFFFFFF)};
          const std::size_t length = encode_with(header, pdu, out);
          REQUIRE(length == header.command_length);
          capture.add(Octets(out).first(length));
          expected.push_back(written(header, pdu));
        });
      }
    }
  }
  const std::string base = "HOME=" + directory.path.string() + " tshark -n -r " + file.string();
  CHECK(run(base + " -Y '_ws.malformed' 2>/dev/null") == "");
  std::string columns;
  for (const char* column : kColumns) columns += std::string(" -e ") + column;
  std::stringstream lines(
      run(base + " -T fields -E occurrence=a -E separator=/t" + columns + " 2>/dev/null"));
  std::string line;
  std::size_t read = 0;
  for (; std::getline(lines, line); ++read) {
    REQUIRE(read < expected.size());
    std::stringstream row(line);
    for (const char* column : kColumns) {
      std::string value;
      std::getline(row, value, '\t');
      const auto wrote = expected[read].columns.find(column);
      const std::string ours = wrote == expected[read].columns.end() ? "" : wrote->second;
      INFO("PDU " << read << ", command " << expected[read].columns["smpp.command_id"] << ", "
                  << column);
      if (value == "(Default)") value.clear();  // how tshark shows an empty service_type
      REQUIRE(normal(value, is_number(column)) == ours);
    }
  }
  CHECK(read == expected.size());
}
