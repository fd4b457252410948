// A comparison as a picture, in Graphviz's language: lock classes, and an arrow from A to B where B was acquired while A was held.
//
// Agreement, gap and contradiction are told apart by colour, line and weight, so that a print in black shows them too: black solid
// in both; grey dotted only in the model (lighter: explained by the map); orange dashed only in the kernel; red, thick and in both
// directions where the two contradict each other. lockdep::DotToSvg makes an SVG of it.
//
// Thread-safety: pure function.
// Example:       ASSIGN_OR_RETURN(const std::string svg, lockdep::DotToSvg(ComparisonToDot(comparison)));
#ifndef ORDEAL_BPF_COMPARISON_DOT_H_
#define ORDEAL_BPF_COMPARISON_DOT_H_

#include <string>

#include "bpf/order_comparer.h"

namespace ordeal::bpf {

std::string ComparisonToDot(const Comparison& comparison);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_COMPARISON_DOT_H_
