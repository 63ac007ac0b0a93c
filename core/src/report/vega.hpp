/// The Vega runtime, inlined into reports.
///
/// It is found on the system when a report is written (Debian package libjs-vega) and is no part of the library. Debian
/// ships Vega as UMD modules rather than one bundle, so the needed ones are wrapped in a loader of a few lines.
/// Specifications run on Vega's expression interpreter: the page's content policy forbids evaluating text as code.
#pragma once

#include <string>

namespace tenon::report {

/// JavaScript that defines `window.tenonVega = {View, parse, expressionInterpreter}`; empty when Vega is not installed.
/// Looked for in $TENON_VEGA, <share>/tenon/vega beside the library, /usr/share/javascript/vega.
std::string vega_script();

}  // namespace tenon::report
