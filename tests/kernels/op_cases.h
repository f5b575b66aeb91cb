// What the three op tests share: one parameter per op of the table, named after it.
#pragma once
#include <gtest/gtest.h>

#include <span>

#include "kernels/ops/all_cases.h"
#include "kernels/ops/case_run.h"

namespace sv::cases {

/// A suite over all ops; each law runs over every case of its op.
class OpTest : public testing::TestWithParam<OpCases> {
 protected:
  template <class F>
  void each_case(F&& law) const {
    for (const Case& c : GetParam().make()) {
      SCOPED_TRACE(GetParam().op + ": " + c.name);
      law(c);
      if (HasFatalFailure()) {
        return;
      }
    }
  }
};

inline std::string op_name(const testing::TestParamInfo<OpCases>& info) {
  return info.param.op;
}
inline void PrintTo(const OpCases& op, std::ostream* out) {
  *out << op.op;
}

}  // namespace sv::cases
