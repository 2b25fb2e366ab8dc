// tests/stories/master_story.h
// The verbs of a story about masters: real ones over the simulated coordinator, and servers of which they see what a
// story lets them see (master/testing/fake_server.h). Time is virtual, and what is sent arrives by itself.
// Place:   story.h runs it, over master/testing/master_rig.h. README.md lists the verbs.
// Threads: one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "master/testing/master_rig.h"
#include "tests/stories/story.h"
#include "tests/stories/story_text.h"

namespace ebla::stories {

class MasterStory final : public Story {
 public:
  Result<Lines> Run(const std::string& line) override;

 private:
  using Verb = Lines (MasterStory::*)(Arguments&);

  Lines Masters(Arguments& arguments);
  Lines Kill(Arguments& arguments);
  Lines Coordinator(Arguments& arguments);
  Lines Server(Arguments& arguments);
  Lines Create(Arguments& arguments);
  Lines Split(Arguments& arguments);
  Lines Merge(Arguments& arguments);
  Lines Transfer(Arguments& arguments);
  Lines Pass(Arguments& arguments);
  Lines Await(Arguments& arguments);
  Lines Catalog(Arguments& arguments);
  Lines Replicas(Arguments& arguments);

  static const std::map<std::string, Verb>& Verbs();
  master::testing::FakeServer& ServerOf(std::string name);
  // Asks the leading master; a later command tells the answer.
  template <class Reply, class Request>
  void Ask(const std::string& what,
           void (idl::MasterServiceCobSvIf::*method)(std::function<void(const Reply&)>, const Request&),
           const Request& request);
  Lines News();

  std::unique_ptr<master::testing::MasterRig> cluster_;
  std::vector<std::string> voters_;  // when the table was made, the primary first
  std::vector<std::vector<std::string>> parts_;
  std::shared_ptr<Lines> answers_ = std::make_shared<Lines>();
};

}  // namespace ebla::stories
