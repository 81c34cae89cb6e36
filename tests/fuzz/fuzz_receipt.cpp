// Receipts on arbitrary octets. The first octet is the esm_class, the second the data_coding, the
// third how many octets of the rest are short_message; what is left is the TLV block.
//
// What must hold: no view leaves the PDU or the scratch; whether it parses does not depend on what
// `out` held before; formatting what was parsed and parsing that gives the same id and state.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "proto/escape.h"
#include "proto/receipt.h"
#include "proto/time.h"
#include "proto/tlv.h"
#include "tests/fuzz/input.h"

using namespace tollgate::proto;
using tollgate::fuzz::must;

namespace {

bool inside(std::string_view view, const void* begin, std::size_t size) {
  const char* first = static_cast<const char*>(begin);
  return view.data() >= first && view.data() + view.size() <= first + size;
}

// Characters that a receipt's text can carry as an id: nothing that ends it or opens a label.
bool plain_id(std::string_view id) {
  if (id.empty()) return false;
  for (char c : id) {
    const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!word && c != '-' && c != '.') return false;
  }
  return true;
}

void format_and_parse(const Receipt& receipt) {
  ReceiptText text;
  text.id = receipt.id;
  text.state = receipt.state;
  text.submit_date = "2611201000";
  text.done_date = "2611201001";
  text.text = receipt.text;
  std::vector<char> out(receipt.id.size() + kReceiptTextMax);
  const std::size_t length = format_receipt(text, out);
  must(length != 0);
  Receipt back;
  must(parse_receipt_text({out.data(), length}, back));
  must(back.state == receipt.state);
  must(back.id == receipt.id);
  must(back.err == "000" && back.done_date == "2611201001");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const Octets rest(data + 3, size - 3);
  const std::size_t length = std::min<std::size_t>(data[2], rest.size());
  DeliverSm sm;
  sm.esm_class = data[0];
  sm.data_coding = data[1];
  sm.short_message = rest.first(length);
  const Octets tlvs = rest.subspan(length);
  sm.tlvs = tlvs.first(good_length(tlvs));

  (void)is_receipt(sm);
  char scratch[kReceiptScratch];
  Receipt receipt;
  const bool parsed = parse_receipt(sm, receipt, scratch);
  Receipt dirty;
  std::memset(&dirty.network_error, 0xFF, sizeof dirty.network_error);
  dirty.id = "dirty";
  dirty.id_from_tlv = true;
  char other[kReceiptScratch];
  must(parse_receipt(sm, dirty, other) == parsed);
  must(dirty.id == receipt.id && dirty.state == receipt.state);
  must(dirty.id_from_tlv == receipt.id_from_tlv);
  for (std::string_view view :
       {receipt.id, receipt.stat_text, receipt.err, receipt.submit_date, receipt.done_date,
        receipt.sub, receipt.dlvrd, receipt.text, receipt.text_id}) {
    must(view.empty() || inside(view, data, size) || inside(view, scratch, sizeof scratch));
    for (char c : escaped(view)) must(c >= 0x20 && c < 0x7F);
  }
  (void)parse_receipt_date(receipt.done_date, 1'795'168'800);
  (void)parse_time(receipt.done_date, 1'795'168'800);
  if (parsed && plain_id(receipt.id)) format_and_parse(receipt);

  DataSm data_sm;
  data_sm.esm_class = sm.esm_class;
  data_sm.tlvs = sm.tlvs;
  if (is_receipt(data_sm)) (void)parse_receipt(data_sm, receipt, scratch);
  return 0;
}
