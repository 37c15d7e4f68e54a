// The only process of the Linux guest: runs the programs named in the kernel argument `bench=a,b,c`, powers off.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  char *names = getenv("bench");
  setvbuf(stdout, NULL, _IONBF, 0);
  for (char *name = names ? strtok(names, ",") : NULL; name; name = strtok(NULL, ",")) {
    char path[64];
    snprintf(path, sizeof path, "/bench-%s", name);
    pid_t child = fork();
    if (child == 0) {
      execl(path, path, (char *)NULL);
      printf("@failed %s: cannot be started\n", name);
      _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) printf("@failed %s: status %d\n", name, status);
  }
  printf("@done\n");
  reboot(RB_POWER_OFF);
  return 0;
}
