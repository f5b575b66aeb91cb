// Laws of every op: bits do not depend on threads, pack or batch; nothing is written where it must
// not be.
#include <cmath>

#include "kernels/cpu/isa.h"
#include "kernels/op_cases.h"

namespace sv::cases {
namespace {

class OpLaw : public OpTest {};

void run_all(CaseRun& run, int threads, std::span<const int> models = {}) {
  run.forward(threads, models);
  if (run.description().vjp) {
    run.backward(threads, GradientMode::overwrite, models);
  }
}

/// f(tensor list of a, the same of b, names) for outputs and gradients.
template <class F>
void each_result(const CaseRun& a, const CaseRun& b, F&& f) {
  for (size_t i = 0; i < a.outputs().size(); ++i) {
    f(a.outputs()[i], b.outputs()[i], a.description().outputs[i].name);
  }
  for (size_t i = 0; a.description().vjp && i < a.gradients().size(); ++i) {
    if (a.description().inputs[i].differentiable) {
      f(a.gradients()[i], b.gradients()[i], "d" + a.description().inputs[i].name);
    }
  }
}

void threads_change_nothing(const Case& c, DType dtype) {
  CaseRun one(c, dtype);
  run_all(one, 1);
  for (const int threads : {2, 4}) {
    CaseRun many(c, dtype);
    run_all(many, threads);
    each_result(one, many, [&](const Guarded& a, const Guarded& b, const std::string& name) {
      EXPECT_TRUE(same_bits(a.tensor(), b.tensor())) << name << " with " << threads << " threads";
    });
  }
}

TEST_P(OpLaw, BitsDoNotDependOnTheNumberOfThreads) {
  each_case([](const Case& c) {
    threads_change_nothing(c, DType::f32);
    threads_change_nothing(c, DType::f64);
  });
}

/// Largest difference of two tensors of the same shape.
double gap(const Guarded& a, const Guarded& b, double& largest) {
  const Array x = a.read(), y = b.read();
  double out = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(x[i]));
    out = std::max(out, x[i] == y[i] ? 0 : std::abs(x[i] - y[i]));
  }
  return out;
}

/// Products round apart in the plain kernels and fused in the vector ones: both within the op's own
/// bound of the exact result. Ops without products must not change a bit.
TEST_P(OpLaw, TheReferenceKernelsAgree) {
  const cpu::Isa best = cpu::isa();
  const std::string& op = GetParam().op;
  const bool products =
      op.ends_with("matmul") || op == "linear_xent" || op == "mlp" || op.starts_with("attention");
  each_case([&](const Case& c) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      cpu::use_isa(best);
      CaseRun fast(c, dtype);
      run_all(fast, 1);
      cpu::use_isa(cpu::Isa::portable);
      CaseRun plain(c, dtype);
      run_all(plain, 1);
      cpu::use_isa(best);
      const double bound = dtype == DType::f32 ? c.tolerance.f32 : c.tolerance.f64;
      each_result(fast, plain, [&](const Guarded& a, const Guarded& b, const std::string& name) {
        double largest = 1;
        const double difference = gap(a, b, largest);
        EXPECT_LE(difference, products ? 2 * bound * largest : 0) << name;
      });
    }
  });
}

TEST_P(OpLaw, EachModelAloneHasTheBitsItHasInThePack) {
  each_case([](const Case& c) {
    CaseRun pack(c, DType::f32);
    run_all(pack, 2);
    for (int m = 0; m < c.models; ++m) {
      const Case one = only_model(c, m);
      CaseRun alone(one, DType::f32);
      run_all(alone, 1);
      each_result(alone, pack, [&](const Guarded& a, const Guarded& b, const std::string& name) {
        EXPECT_TRUE(same_bits(a.tensor(), b.tensor().slice(m, 1))) << name << " of model " << m;
      });
    }
  });
}

TEST_P(OpLaw, ModelsThatAreNotListedAreLeftAlone) {
  each_case([](const Case& c) {
    const std::vector<int> live{c.models - 1};
    CaseRun all(c, DType::f32), some(c, DType::f32);
    run_all(all, 1);
    run_all(some, 2, live);
    each_result(all, some, [&](const Guarded& a, const Guarded& b, const std::string& name) {
      EXPECT_TRUE(same_bits(a.tensor().slice(live[0], 1), b.tensor().slice(live[0], 1))) << name;
    });
    for (int m = 0; m + 1 < c.models; ++m) {
      for (size_t i = 0; i < c.outputs.size(); ++i) {
        const int start = c.outputs[i].starts_as;
        const Guarded& out = some.outputs()[i];
        EXPECT_TRUE(start < 0
                        ? out.untouched(m)
                        : same_bits(out.tensor().slice(m, 1),
                                    some.inputs()[static_cast<size_t>(start)].tensor().slice(m, 1)))
            << c.outputs[i].name << " of model " << m << " was written";
      }
      for (size_t i = 0; c.vjp && i < c.inputs.size(); ++i) {
        EXPECT_TRUE(!c.inputs[i].differentiable || some.gradients()[i].untouched(m))
            << "d" << c.inputs[i].name << " of model " << m << " was written";
      }
    }
  });
}

TEST_P(OpLaw, NothingIsWrittenAroundTheOutputs) {
  each_case([](const Case& c) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      CaseRun run(c, dtype);
      run_all(run, 2);
      for (const auto* list :
           {&run.inputs(), &run.outputs(), &run.gradients(), &run.cotangents()}) {
        for (size_t i = 0; i < list->size(); ++i) {
          EXPECT_TRUE((*list)[i].intact()) << "argument " << i;
        }
      }
      CaseRun fresh(c, dtype);
      for (size_t i = 0; i < c.inputs.size(); ++i) {
        EXPECT_TRUE(same_bits(run.inputs()[i].tensor(), fresh.inputs()[i].tensor()))
            << c.inputs[i].name;
      }
    }
  });
}

TEST_P(OpLaw, AccumulateIsOverwritePlusAdd) {
  each_case([](const Case& c) {
    if (!c.vjp) {
      return;
    }
    CaseRun once(c, DType::f64), added(c, DType::f64);
    run_all(once, 1);
    added.forward(1);
    added.backward(1, GradientMode::accumulate);
    for (size_t i = 0; i < c.inputs.size(); ++i) {
      const Array a = once.gradients()[i].read(), b = added.gradients()[i].read();
      for (size_t k = 0; k < a.size(); ++k) {
        ASSERT_NEAR(a[k] + 0.5, b[k], 1e-13 * (1 + std::abs(a[k])))
            << c.inputs[i].name << "[" << k << "]";
      }
    }
  });
}

TEST_P(OpLaw, AnUnwantedGradientChangesNoOther) {
  each_case([](const Case& c) {
    for (size_t i = 0; c.vjp && i < c.inputs.size(); ++i) {
      if (!c.inputs[i].differentiable) {
        continue;
      }
      CaseRun all(c, DType::f32), one(c, DType::f32);
      run_all(all, 1);
      one.forward(1);
      one.backward(1, GradientMode::overwrite, {}, static_cast<int>(i));
      EXPECT_TRUE(same_bits(all.gradients()[i].tensor(), one.gradients()[i].tensor()))
          << c.inputs[i].name;
    }
  });
}

TEST_P(OpLaw, RowsDoNotDependOnTheNumberOfRows) {
  each_case([](const Case& c) {
    int64_t rows = 0;
    for (const Input& in : c.inputs) {
      rows = in.rows ? in.shape[1] / 2 : rows;
    }
    if (rows == 0) {
      return;
    }
    const Case half = first_rows(c, rows);
    CaseRun whole(c, DType::f32), part(half, DType::f32);
    run_all(whole, 1);
    run_all(part, 2);
    const auto compare = [&](const Guarded& a, const Guarded& b, const std::string& name) {
      for (int m = 0; m < c.models; ++m) {
        const Tensor few = a.tensor().slice(m, 1), many = b.tensor().slice(m, 1);
        EXPECT_EQ(std::memcmp(few.data, many.data, few.bytes()), 0) << name << " of model " << m;
      }
    };
    for (size_t i = 0; i < c.outputs.size(); ++i) {
      if (c.outputs[i].rows) {
        compare(part.outputs()[i], whole.outputs()[i], c.outputs[i].name);
      }
    }
    for (size_t i = 0; c.vjp && i < c.inputs.size(); ++i) {
      if (c.inputs[i].rows && c.inputs[i].differentiable) {
        compare(part.gradients()[i], whole.gradients()[i], "d" + c.inputs[i].name);
      }
    }
  });
}

TEST_P(OpLaw, ScratchComesFromTheArenaOnce) {
  each_case([](const Case& c) {
    CaseRun run(c, DType::f32);
    run_all(run, 2);
    const size_t allocations = run.arena().system_allocations();
    const Arena::Mark mark = run.arena().mark();
    run_all(run, 2);
    EXPECT_EQ(run.arena().system_allocations(), allocations);
    EXPECT_EQ(run.arena().mark().used, mark.used) << "scratch was not given back";
  });
}

INSTANTIATE_TEST_SUITE_P(All, OpLaw, testing::ValuesIn(all_cases()), op_name);

}  // namespace
}  // namespace sv::cases
