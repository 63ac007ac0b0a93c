/// Symbol visibility: everything is hidden unless marked TENON_API.
#pragma once

#if defined(TENON_BUILDING_CORE)
#define TENON_API __attribute__((visibility("default")))
#else
#define TENON_API
#endif
