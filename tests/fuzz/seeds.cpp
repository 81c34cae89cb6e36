// Writes the seed corpora: seeds DIRECTORY makes pdu/, tlv/, receipt/, record/ and ratesheet/ below
// it. Every PDU type in two forms, TLV blocks, the receipt forms and journal records, all from the
// tests' generators and from here.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "proto/text.h"
#include "tests/proto/record_support.h"
#include "tests/proto/support.h"

using namespace tollgate::proto;

namespace {

class Corpus {
 public:
  explicit Corpus(std::filesystem::path directory) : directory_(std::move(directory)) {
    std::filesystem::create_directories(directory_);
  }
  void add(Octets octets) {
    std::ofstream out(directory_ / std::to_string(++count_), std::ios::binary);
    out.write(reinterpret_cast<const char*>(octets.data()),
              static_cast<std::streamsize>(octets.size()));
  }

 private:
  std::filesystem::path directory_;
  int count_ = 0;
};

void add_pdus(Corpus& corpus, Corpus& tlvs) {
  std::vector<std::uint8_t> out(kPduLengthMax + 4'096);
  for (const auto wildness : {test::Wildness::modest, test::Wildness::wild}) {
    test::Generator generator(1, wildness);
    for (Command command : kCommands) {
      with_pdu(command, [&](auto empty) {
        const auto pdu = generator.make<decltype(empty)>();
        corpus.add(Octets(out).first(encode(pdu, 1, Status::ESME_ROK, out)));
        std::vector<std::uint8_t> block = {0x40};
        block.insert(block.end(), pdu.tlvs.begin(), pdu.tlvs.end());
        tlvs.add(block);
      });
    }
  }
}

void add_receipts(Corpus& corpus) {
  constexpr const char* kTexts[] = {
      ("id:0123456789 sub:001 dlvrd:001 submit date:2611201000 done date:2611201001 stat:DELIVRD "
       "err:000 Text:Hello"),
      "sub:001 id:74e02ee1-4e2f dlvrd:001 donedate:110206193110 text: stat:UNDELIV err:21b",
      "stat:DELIVRD", "id: sub:001 stat:DND_REJECTED", "ID:5 STAT:ENROUTE unknown:7 TEXT:id:6"};
  for (const char* text : kTexts) {
    const std::string_view view = text;
    std::vector<std::uint8_t> plain = {0x04, 0, static_cast<std::uint8_t>(view.size())};
    std::vector<std::uint8_t> wide = {0x04, 8, 255};
    for (char c : view) {
      plain.push_back(static_cast<std::uint8_t>(c));
      wide.push_back(0);
      wide.push_back(static_cast<std::uint8_t>(c));
    }
    const auto block = test::unhex("001e 0003 313200 0427 0001 02 0423 0003 030007");
    plain.insert(plain.end(), block.begin(), block.end());
    corpus.add(plain);
    corpus.add(wide);
  }
}

void add_records(Corpus& corpus) {
  record::test::RecordMaker maker(1);
  std::uint8_t type = 0;
  record::test::with_each([&](auto one) {
    for (int i = 0; i < 4; ++i) {
      maker.make(one);
      std::vector<std::uint8_t> seed = {type};
      const auto payload = record::test::payload_of(one);
      seed.insert(seed.end(), payload.begin(), payload.end());
      corpus.add(seed);
    }
    ++type;
  });
}

// The small sheets of the torture set, and the XML of a workbook's sheet.
void add_sheets(Corpus& corpus) {
  for (const auto& entry : std::filesystem::directory_iterator(TOLLGATE_SHEETS)) {
    const auto kind = entry.path().extension();
    if ((kind != ".csv" && kind != ".tsv" && kind != ".toml") || entry.file_size() > 2'000)
      continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::vector<std::uint8_t> seed = {0};
    seed.insert(seed.end(), std::istreambuf_iterator<char>(in), {});
    corpus.add(seed);
  }
  const std::string_view xml =
      "\x01<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c t=\"s\"><v>1"
      "</v></c><c t=\"inlineStr\"><is><t>Effective</t></is></c></row><row r=\"2\"><c><v>26201"
      "</v></c><c><f>1+1</f><v>0.05</v></c><c s=\"1\"><v>46357</v></c></row></sheetData>"
      "<mergeCells><mergeCell ref=\"A2:A3\"/></mergeCells></worksheet>";
  corpus.add({reinterpret_cast<const std::uint8_t*>(xml.data()), xml.size()});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: seeds DIRECTORY\n", stderr);
    return 2;
  }
  const std::filesystem::path root = argv[1];
  Corpus pdu(root / "pdu");
  Corpus tlv(root / "tlv");
  Corpus receipt(root / "receipt");
  add_pdus(pdu, tlv);
  tlv.add(test::unhex("40 05 00 03 a7 02 01 1b 65"));
  tlv.add(test::unhex("40 06 08 04 12 34 03 02 d8 3d de 00"));
  add_receipts(receipt);
  Corpus records(root / "record");
  add_records(records);
  Corpus sheets(root / "ratesheet");
  add_sheets(sheets);
  return 0;
}
