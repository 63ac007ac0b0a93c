/// The audit as text and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "genomics/audit/audit.hpp"

namespace tenon::genomics {

std::string audit_text(const AuditSet& set, const Audit& audit);
nlohmann::ordered_json audit_json(const AuditSet& set, const Audit& audit);

}  // namespace tenon::genomics
